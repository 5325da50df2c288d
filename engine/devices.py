"""Which device a pack computes on: the one asked for, the environment's LPM_DEVICE, or the best that is here.

Called by `load_pack`, by `lpm doctor` and by whoever has to wait for a device. Names are torch's own: cpu, cuda, cuda:1, mps.
"""

import os
from typing import Final

import torch

from engine.errors import BadInputError

DEVICE_VARIABLE: Final = "LPM_DEVICE"
DEVICE_NAMES: Final = "auto, cpu, cuda, cuda:1 or mps"

SHARE_FOR_WEIGHTS: Final = 0.5
"""Of a graphics card's memory: a component that is larger stays on disk, or in the computer's memory."""


def chosen_device(asked: str | None = None) -> torch.device:
    """The device asked for by name; without a name LPM_DEVICE's, and without that `auto`: an NVIDIA card where one is, else the processor.

    A card always comes with its number. `BadInputError` for a name that is none and for a device that is not here.
    """
    told = asked or os.environ.get(DEVICE_VARIABLE, "").strip() or "auto"
    where = "" if asked or told == "auto" else f" ({DEVICE_VARIABLE}={told})"
    kind, _, digits = told.partition(":")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 4 else None
    is_name = kind in ("auto", "cpu", "cuda", "mps") and (told == kind or (kind == "cuda" and number is not None))
    if not is_name:
        raise BadInputError(
            f"there is no device called {told!r}{where and f' as {DEVICE_VARIABLE} says'}; choose {DEVICE_NAMES}"
        )
    if kind == "cuda" or (kind == "auto" and torch.cuda.is_available()):
        return _card(number, where)
    if kind == "mps":
        if not torch.backends.mps.is_available():
            raise BadInputError(f"there is no mps device here{where}: it takes a Mac with Apple silicon; choose cpu")
        return torch.device("mps", 0)
    return torch.device("cpu")


def wait_for(device: torch.device) -> None:
    """Until everything that this thread asked of a device is done; a processor does at once what it is asked."""
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()
    elif device.type == "mps":
        torch.mps.synchronize()


def exact(device: torch.device) -> torch.device:
    """Where float64 is computed for a device: mps has none, so the processor does it."""
    return torch.device("cpu") if device.type == "mps" else device


def holds(device: torch.device, num_bytes: int) -> bool:
    """Whether weights of this size may lie in the memory of a graphics card; a processor reads large ones from disk as they are used."""
    if device.type != "cuda":
        return False
    return num_bytes <= SHARE_FOR_WEIGHTS * torch.cuda.get_device_properties(device).total_memory


def device_title(device: torch.device) -> str:
    """A device in words, such as `cuda:0 (NVIDIA L4)`."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def _card(number: int | None, where: str) -> torch.device:
    if not torch.cuda.is_available():
        raise BadInputError(
            f"there is no cuda device here{where}; choose cpu, or see what lpm doctor says of the graphics card"
        )
    count = torch.cuda.device_count()
    if number is not None and number >= count:
        known = ", ".join(f"cuda:{index}" for index in range(count))
        raise BadInputError(f"there is no cuda:{number} here{where}; choose {known} or cpu")
    return torch.device("cuda", torch.cuda.current_device() if number is None else number)
