"""The memory this process holds, now and at most so far, as the system counts it. Called by reports; it measures and never guesses.

MB are 2**20 bytes.
"""

import ctypes
import re
import sys
from pathlib import Path
from typing import Any, Final

_STATUS: Final = Path("/proc/self/status")


def peak_memory_mb() -> float:
    """Peak resident memory of this process."""
    if sys.platform == "win32":
        return float(_windows_counters().PeakWorkingSetSize) / 2**20
    if _STATUS.exists():  # getrusage would count the parent's memory before this program was loaded
        return _linux_mb("VmHWM")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def memory_mb() -> float:
    """Resident memory now; where the system only tells the peak (macOS), that."""
    if sys.platform == "win32":
        return float(_windows_counters().WorkingSetSize) / 2**20
    return _linux_mb("VmRSS") if _STATUS.exists() else peak_memory_mb()


def heap_mb() -> float | None:
    """What the C library's allocator has given out and not got back; None where it does not tell (it does on glibc).

    Resident memory also holds what was freed and is kept for later, so it wavers where this stands still.
    """
    if sys.platform == "win32":
        return None
    libc: Any = ctypes.CDLL(None)
    if not hasattr(libc, "malloc_info"):
        return None
    libc.open_memstream.restype = ctypes.c_void_p
    text, size = ctypes.c_char_p(), ctypes.c_size_t()
    stream = ctypes.c_void_p(libc.open_memstream(ctypes.byref(text), ctypes.byref(size)))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    table = ctypes.string_at(text, size.value).decode()
    libc.free(text)
    whole = table[table.rindex("</heap>") :]
    found = {name: int(number) for name, number in re.findall(r'type="(\w+)"[^>]*size="(\d+)"', whole)}
    return (found["current"] + found.get("mmap", 0) - found["fast"] - found["rest"]) / 2**20


def _linux_mb(name: str) -> float:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"{_STATUS} has no {name}")


def _windows_counters() -> Any:
    class Counters(ctypes.Structure):
        _fields_ = (
            ("cb", ctypes.c_uint32),
            ("PageFaultCount", ctypes.c_uint32),
            ("PeakWorkingSetSize", ctypes.c_size_t),
            ("WorkingSetSize", ctypes.c_size_t),
            *((f"field_{number}", ctypes.c_size_t) for number in range(6)),
        )

    counters = Counters(cb=ctypes.sizeof(Counters))
    libraries: Any = getattr(ctypes, "windll")  # noqa: B009 - there is no such name on other systems
    libraries.kernel32.GetCurrentProcess.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(libraries.kernel32.GetCurrentProcess())
    libraries.psapi.GetProcessMemoryInfo(handle, ctypes.byref(counters), counters.cb)
    return counters
