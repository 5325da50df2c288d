"""The memory this process holds, now and at most so far, as the system counts it. Called by reports; it measures and never guesses.

MB are 2**20 bytes.
"""

import ctypes
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
