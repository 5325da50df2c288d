"""The machine itself: processor, memory, graphics card, disk. Called by `studio/doctor/examination.py`."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from engine.errors import BadInputError
from engine.locations import data_dir
from studio.doctor.findings import Finding, Status, found

_FLAGS: Final = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16")
_LEAST_MEMORY_GB: Final = 3.5
_LEAST_DISK_GB: Final = 2.0


def examine() -> Iterator[Finding]:
    """Processor, memory, graphics card, which of them computes, and disk."""
    yield _processor()
    yield _memory()
    yield _graphics()
    yield _device()
    yield _disk()


def _processor() -> Finding:
    model, flags = platform.processor() or platform.machine(), ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = dict(line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in lines.items()}
        model, flags = fields.get("model name", model), fields.get("flags", fields.get("Features", ""))
    features = [name for name in _FLAGS if name in flags.split()]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return found("Processor", f"{model}, {cores} cores, {' '.join(features) or 'no special units'}")


def _memory() -> Finding:
    try:
        total_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):  # Windows
        return Finding(name="Memory", status=Status.WARN, detail="its size cannot be read on this system")
    if total_gb < _LEAST_MEMORY_GB:
        return Finding(
            name="Memory",
            status=Status.WARN,
            detail=f"{total_gb:.1f} GB is little",
            mend="close other programs while you render",
        )
    return found("Memory", f"{total_gb:.1f} GB")


def _graphics() -> Finding:
    import torch

    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        return found("Graphics card", f"{properties.name}, {properties.total_memory / 2**30:.0f} GB")
    program = shutil.which("nvidia-smi")
    card = ""
    if program:
        try:
            asked = [program, "--query-gpu=name", "--format=csv,noheader"]
            answer = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=False)
            card = answer.stdout.strip().splitlines()[0] if answer.returncode == 0 and answer.stdout.strip() else ""
        except (OSError, subprocess.TimeoutExpired):
            card = ""
    if card:
        return Finding(
            name="Graphics card",
            status=Status.WARN,
            detail=f"{card} is there, but this PyTorch was built without CUDA",
            mend="pip install torch --index-url https://download.pytorch.org/whl/cu128",
        )
    return found("Graphics card", "no NVIDIA card; the small model runs on the processor")


def _device() -> Finding:
    from engine.devices import DEVICE_NAMES, DEVICE_VARIABLE, chosen_device, device_title
    from engine.precision import has_fast_bfloat16

    try:
        device = chosen_device()
    except BadInputError as error:
        return Finding(
            name="Computes on", status=Status.WARN, detail=str(error), mend=f"set {DEVICE_VARIABLE} to {DEVICE_NAMES}"
        )
    numbers = "bfloat16" if has_fast_bfloat16(device) else "float32"
    return found(
        "Computes on",
        f"{device_title(device)} in {numbers}; --device or {DEVICE_VARIABLE} chooses another: {DEVICE_NAMES}",
    )


def _disk() -> Finding:
    place = data_dir()
    while not place.exists() and place != place.parent:
        place = place.parent
    free_gb = shutil.disk_usage(place).free / 2**30
    if free_gb < _LEAST_DISK_GB:
        mend = f"free some space on the disk that holds {place}"
        return Finding(name="Disk", status=Status.WARN, detail=f"{free_gb:.1f} GB free is little", mend=mend)
    return found("Disk", f"{free_gb:.0f} GB free for {data_dir()}")
