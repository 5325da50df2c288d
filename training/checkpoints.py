"""Training states on disk: written whole or not at all, and refused by name where they do not fit the run.

A training state is torch's own format read with `weights_only=True`: tensors and plain numbers, no code. What is shipped is
safetensors (`engine.packs`).
"""

import hashlib
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from engine.errors import BadInputError


def config_fingerprint(config: Any) -> str:
    """A short hash of a dataclass of settings."""
    return hashlib.sha256(repr(sorted(asdict(config).items())).encode()).hexdigest()[:16]


def save_training_state(path: Path, state: dict[str, Any]) -> None:
    """Writes beside the target and swaps, so that a kill leaves the old state or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".partial-{os.getpid()}")
    torch.save(state, partial)
    os.replace(partial, path)


def load_training_state(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """The state to resume, or None where there is none; `BadInputError` if it was made with other settings."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    if state["fingerprint"] != fingerprint:
        raise BadInputError(
            f"{path} was made with other optimiser settings ({state['fingerprint']}, now {fingerprint}); "
            "give the same settings to resume it, or train into another folder"
        )
    return state
