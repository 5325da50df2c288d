"""A model pack: a folder with `manifest.toml` and safetensors files; the one place that reads and writes model weights.

The manifest is a table of components (role, kind, config, stored dtype, hash) and the settings the pack was trained for.
Nothing else is ever read: no pickle, no code. Loading checks each hash before it believes a file.
"""

import hashlib
import logging
import math
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from engine.errors import BadInputError, BadPackError
from engine.int8_weights import SCALE_SUFFIX, packed, unpacked
from engine.mapped_tensors import MappedTensors

logger = logging.getLogger(__name__)

FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.toml"
STORED_DTYPES = {
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float32": torch.float32,
    "int8": torch.int8,  # with a scale for each block of an output channel, see `engine.int8_weights`
    "int8_but_decoder": torch.int8,  # what int8 takes from a decoder is seen as grain; of an encoder nobody can tell
    "int8_but_finest_level": torch.int8,  # fine channels take that grain away, but for what comes in behind them; asks the module
}
KEPT_PARTS: Mapping[str, tuple[str, ...]] = {"int8_but_decoder": ("decoder.",)}
"""Weights that stay bfloat16 where the others are int8, by the beginning of their names."""

Config = TypeVar("Config")


@dataclass(frozen=True, kw_only=True)
class ComponentEntry:
    """One line of the manifest: what a file is and how to build the module that it fills."""

    role: str
    kind: str
    file: str
    dtype: str
    sha256: str
    config: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The whole manifest. `settings` are the pack's own numbers (steps, windows, guidance), checked by their reader."""

    name: str
    version: str
    description: str
    licence: str
    actor_level: int
    components: tuple[ComponentEntry, ...]
    settings: Mapping[str, Mapping[str, Any]]

    def component(self, role: str) -> ComponentEntry:
        """The component that plays `role`; `BadPackError` where the pack has none."""
        for entry in self.components:
            if entry.role == role:
                return entry
        raise BadPackError(f"pack {self.name} has no {role}; it was made for another use or is incomplete")


def read_manifest(folder: Path) -> Manifest:
    """Reads and checks `manifest.toml`; `BadPackError` says what is wrong with it."""
    path = folder / MANIFEST_NAME
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadPackError(f"{folder} is not a model pack: it has no {MANIFEST_NAME}") from error
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, or a number of thousands of digits
        raise BadPackError(f"{path} is not readable TOML ({error}); fetch the pack again") from error
    if table.get("format") != FORMAT_VERSION:
        raise BadPackError(f"{path} has format {table.get('format')}, this release reads format {FORMAT_VERSION}")
    try:
        components = tuple(_read_entry(path, entry) for entry in table["component"])
        if not all(isinstance(values, dict) for values in table["settings"].values()):
            raise ValueError("settings, which are tables")
        return Manifest(
            name=str(table["name"]),
            version=str(table["version"]),
            description=str(table["description"]),
            licence=str(table["licence"]),
            actor_level=int(table["actor_level"]),
            components=components,
            settings=table["settings"],
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadPackError(f"{path} lacks or garbles {error}; fetch the pack again") from error


def _read_entry(path: Path, entry: Mapping[str, Any]) -> ComponentEntry:
    component = ComponentEntry(**entry)
    if Path(component.file).name != component.file or not component.file.endswith(".safetensors"):
        raise BadPackError(f"{path} names {component.file!r}: weights must be safetensors files inside the pack")
    if component.dtype not in STORED_DTYPES:
        raise BadPackError(f"{path} stores {component.role} as {component.dtype}; known are {', '.join(STORED_DTYPES)}")
    return component


def build_config(config_class: type[Config], table: Mapping[str, Any], where: str) -> Config:
    """A frozen config from a TOML table: every key must be a field, lists become tuples; `BadPackError` otherwise."""
    assert is_dataclass(config_class)
    hints = get_type_hints(config_class)
    unknown = set(table) - {field.name for field in fields(config_class)}
    if unknown:
        raise BadPackError(f"{where} has unknown settings {', '.join(sorted(unknown))}; it needs a newer release")
    needed = {
        field.name for field in fields(config_class) if field.default is MISSING and field.default_factory is MISSING
    }
    if lacking := sorted(needed - set(table)):
        raise BadPackError(
            f"{where} lacks the settings {', '.join(lacking)}; it is of an older release, fetch the pack again"
        )
    values = {name: _as_field(value, hints[name], f"{where}.{name}") for name, value in table.items()}
    try:
        return config_class(**values)
    except (TypeError, ValueError) as error:
        raise BadPackError(f"{where}: {error}") from error


def _as_field(value: Any, hint: Any, where: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise BadPackError(f"{where} is {value!s:.40}, not a table of settings; fetch the pack again")
        return build_config(hint, value, where)
    return tuple(value) if isinstance(value, list) else value


def load_weights(folder: Path, entry: ComponentEntry, module: nn.Module) -> None:
    """Fills `module` from the entry's file after its hash was checked; every tensor must be there with its shape."""
    path = folder / entry.file
    if not path.is_file():
        raise BadPackError(f"{path} is missing; fetch the pack again")
    if file_sha256(path) != entry.sha256:
        raise BadPackError(f"{path} is damaged (its hash is not the manifest's); fetch the pack again")
    try:
        module.load_state_dict(unpacked(load_file(path)), strict=True)
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise BadPackError(f"{path} does not fit {entry.kind}: {str(error).splitlines()[-1].strip()}") from error


def map_weights(folder: Path, entry: ComponentEntry, module: nn.Module) -> None:
    """Gives a module on the meta device the entry's tensors as they are stored, mapped: pages are read when they are used.

    The hash is not checked, since that would read the file whole; `lpm models verify` does.
    """
    path = folder / entry.file
    try:
        with MappedTensors(path) as file:
            module.load_state_dict(file.all(), strict=True, assign=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise BadPackError(f"{path} does not fit {entry.kind}: {str(error).splitlines()[-1].strip()}") from error


def stored_numbers(folder: Path, entry: ComponentEntry) -> int:
    """How many numbers an entry's file holds, from its header alone; `BadPackError` where it is missing or garbled."""
    path = folder / entry.file
    try:
        with MappedTensors(path) as file:
            return sum(math.prod(shape) for name, shape in file.shapes.items() if not name.endswith(SCALE_SUFFIX))
    except (OSError, SafetensorError) as error:
        raise BadPackError(f"{path} is missing or damaged ({error}); fetch the pack again") from error


def fill_from_file(path: Path, module: nn.Module) -> None:
    """Fills `module` from a safetensors file outside any manifest; `BadInputError` where it is missing or does not fit."""
    if not path.is_file():
        raise BadInputError(f"{path} does not exist; train it first, or name a folder that holds it")
    try:
        module.load_state_dict(unpacked(load_file(path)), strict=True)
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise BadInputError(
            f"{path} does not fit {type(module).__name__}: {str(error).splitlines()[-1].strip()}"
        ) from error


def save_as(path: Path, module: nn.Module, stored: str) -> None:
    """Writes a module's tensors as a manifest's `dtype` says that they are stored."""
    kept = module.finest_level if stored == "int8_but_finest_level" else KEPT_PARTS.get(stored, ())
    save_weights(path, module, STORED_DTYPES[stored], kept)  # type: ignore[arg-type]


def save_weights(path: Path, module: nn.Module, dtype: torch.dtype = torch.float32, kept: tuple[str, ...] = ()) -> None:
    """Writes a module's tensors as safetensors, floats as `dtype`; statistics (buffers) keep float32.

    `kept` are the beginnings of names that stay bfloat16 where the others are int8.
    """
    buffers = {name for name, _ in module.named_buffers()}
    given = module.state_dict()
    weights = {name: tensor for name, tensor in given.items() if name not in buffers and tensor.is_floating_point()}
    if dtype == torch.int8:
        stored = packed({name: x for name, x in weights.items() if not name.startswith(kept)})
        stored |= {name: x.to(torch.bfloat16) for name, x in weights.items() if name.startswith(kept)}
    else:
        stored = {name: x.to(dtype) for name, x in weights.items()}
    rest = {name: tensor for name, tensor in given.items() if name not in weights}
    tensors = {name: tensor.contiguous().clone() for name, tensor in (stored | rest).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial)
    partial.replace(path)


def write_pack(folder: Path, manifest: Manifest) -> None:
    """Writes `manifest.toml`; the component files must be in place, their hashes are taken from the entries."""
    table = {
        "format": FORMAT_VERSION,
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description,
        "licence": manifest.licence,
        "actor_level": manifest.actor_level,
    }
    lines = [f"{key} = {toml_value(value)}" for key, value in table.items()]
    for section, values in manifest.settings.items():
        lines += ["", f"[settings.{section}]", *(f"{key} = {toml_value(value)}" for key, value in values.items())]
    for entry in manifest.components:
        values = {key: value for key, value in asdict(entry).items() if key != "config"}
        lines += ["", "[[component]]", *(f"{key} = {toml_value(value)}" for key, value in values.items())]
        lines += ["[component.config]", *(f"{key} = {toml_value(value)}" for key, value in entry.config.items())]
    (folder / MANIFEST_NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")


def toml_value(value: Any) -> str:
    """A number, string, boolean, flat list or flat table in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + " }"
    return repr(value)


def file_sha256(path: Path) -> str:
    """The hash of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
