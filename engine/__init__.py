"""LPM Studio's engine: an open implementation of LPM 1.0. This is the whole public API.

    pack = load_pack("lpm-tiny")
    for piece in perform(pack, PerformJob(character=load_character(folder), speak_S=voice_S, num_frames=240)):
        show(piece.frames_THWC)

NumPy arrays and frozen dataclasses cross this border, tensors do not. Importing it loads nothing: names are resolved when they
are first used, so that a program which only lists characters does not wait for torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.base.job import FilmPiece, MuteSpan, PerformJob, PromptSpan
    from engine.base.performer import perform
    from engine.base.window_store import WindowStore
    from engine.characters import Character, find_character, load_character
    from engine.flow.guidance import GuidanceScales
    from engine.loaded_pack import LoadedPack, load_pack

__all__ = [
    "Character",
    "FilmPiece",
    "GuidanceScales",
    "LoadedPack",
    "MuteSpan",
    "PerformJob",
    "PromptSpan",
    "WindowStore",
    "find_character",
    "load_character",
    "load_pack",
    "perform",
]

_HOMES = {
    "Character": "engine.characters",
    "FilmPiece": "engine.base.job",
    "GuidanceScales": "engine.flow.guidance",
    "LoadedPack": "engine.loaded_pack",
    "MuteSpan": "engine.base.job",
    "PerformJob": "engine.base.job",
    "PromptSpan": "engine.base.job",
    "WindowStore": "engine.base.window_store",
    "find_character": "engine.characters",
    "load_character": "engine.characters",
    "load_pack": "engine.loaded_pack",
    "perform": "engine.base.performer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
