"""Keeps freed memory in the process, where the C library would hand every large tensor back to the system.

Called once by programs that train models, make data or judge films, never by the engine itself. On glibc each large tensor is otherwise
mapped and unmapped anew: half of a training step was spent in page faults. Live it saves a tenth of decoding and nothing besides, so the
studio, which stays open all day, gives its memory back.
"""

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Whether the C library took the advice; only glibc on Linux knows it."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    advice = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 2**28))
    return all(mallopt(name, value) == 1 for name, value in advice)
