"""Training states on disk: written whole or not at all, and refused by name where they do not fit the run.

A training state is torch's own format read with `weights_only=True`: tensors and plain values, no code. It holds whole tensors,
however many processes shared them. What is shipped is safetensors (`engine.packs`).
"""

import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch

from engine.errors import BadInputError

MOST_NAMED = 4


def settings_of(config: Any, ignored: frozenset[str]) -> dict[str, str]:
    """Every setting of nested dataclasses by its dotted name, as text; a name in `ignored` is left out with all below it."""
    found: dict[str, str] = {}
    for field in fields(config):
        value = config.__dict__[field.name]
        if field.name in ignored:
            continue
        if is_dataclass(value):
            found |= {f"{field.name}.{name}": text for name, text in settings_of(value, ignored).items()}
        else:
            found[field.name] = repr(value)
    return found


def config_fingerprint(config: Any, names: Collection[str]) -> str:
    """A short hash of the named settings, as states carry it that were written before all settings were named."""
    items = sorted((name, value) for name, value in asdict(config).items() if name in names)
    return hashlib.sha256(repr(items).encode()).hexdigest()[:16]


def save_training_state(path: Path, state: Mapping[str, Any]) -> None:
    """Writes beside the target and swaps, so that a kill leaves the old state or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".partial-{os.getpid()}")
    with partial.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    for stale in path.parent.glob(f"{path.stem}.partial-*"):
        stale.unlink(missing_ok=True)


def load_training_state(path: Path, settings: Mapping[str, str], fingerprint: str) -> dict[str, Any] | None:
    """The state to resume, or None where there is none; `BadInputError` names the settings it was not made with."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    if "settings" in state:
        refuse_changed_settings(path, state["settings"], settings)
    elif state["fingerprint"] != fingerprint:
        raise BadInputError(
            f"{path} was made with other optimiser settings ({state['fingerprint']}, now {fingerprint}); "
            "give the same settings to resume it, or train into another folder"
        )
    return state


def refuse_changed_settings(path: Path, then: Mapping[str, str], now: Mapping[str, str]) -> None:
    """`BadInputError` with the names and values that differ. A setting that either release did not have yet passes."""
    changed = [name for name in sorted(then.keys() & now.keys()) if then[name] != now[name]]
    if changed:
        named = ", ".join(f"{name} {then[name]} (now {now[name]})" for name in changed[:MOST_NAMED])
        more = f" and {len(changed) - MOST_NAMED} more" if len(changed) > MOST_NAMED else ""
        raise BadInputError(
            f"{path} was made with {named}{more}; give the same settings to resume it, or begin another folder from its "
            "weights with --start-from"
        )
