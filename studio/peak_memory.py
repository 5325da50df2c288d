"""The most memory this process has held at once, as the system counts it. Called by reports; it measures and never guesses."""

import ctypes
import sys
from pathlib import Path
from typing import Any


def peak_memory_mb() -> float:
    """Peak resident memory of this process in MB (2**20 bytes)."""
    if sys.platform == "win32":
        return _windows_peak_mb()
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the parent's memory before this program was loaded
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def _windows_peak_mb() -> float:
    class Counters(ctypes.Structure):
        _fields_ = (
            ("cb", ctypes.c_uint32),
            ("PageFaultCount", ctypes.c_uint32),
            ("PeakWorkingSetSize", ctypes.c_size_t),
            *((f"field_{number}", ctypes.c_size_t) for number in range(7)),
        )

    counters = Counters(cb=ctypes.sizeof(Counters))
    libraries: Any = getattr(ctypes, "windll")  # noqa: B009 - there is no such name on other systems
    libraries.kernel32.GetCurrentProcess.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(libraries.kernel32.GetCurrentProcess())
    libraries.psapi.GetProcessMemoryInfo(handle, ctypes.byref(counters), counters.cb)
    return int(counters.PeakWorkingSetSize) / 2**20
