"""LPM Studio's engine: an open implementation of LPM 1.0. This is the whole public API.

    pack = load_pack("lpm-tiny")
    for piece in perform(pack, PerformJob(character=load_character(folder), speak_S=voice_S, num_frames=240)):
        show(piece.frames_THWC)  # `perform_online` instead: the same by a pack's causal models

    with open_session(load_character(folder), pack) as session:  # live: see engine.online.session
        session.push_speak(voice_S)
        show(session.pull().picture_HWC)

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
    from engine.online.film import perform_online
    from engine.online.live import ChunkReport, LiveConfig, LiveFrame, SessionReport
    from engine.online.lookahead import LookaheadConfig
    from engine.online.opening import open_session, performing_live, restore_session
    from engine.online.session import LiveSession
    from engine.online.states import LiveState

__all__ = [
    "Character",
    "ChunkReport",
    "FilmPiece",
    "GuidanceScales",
    "LiveConfig",
    "LiveFrame",
    "LiveSession",
    "LiveState",
    "LoadedPack",
    "LookaheadConfig",
    "MuteSpan",
    "PerformJob",
    "PromptSpan",
    "SessionReport",
    "WindowStore",
    "find_character",
    "load_character",
    "load_pack",
    "open_session",
    "perform",
    "perform_online",
    "performing_live",
    "restore_session",
]

_HOMES = {
    "Character": "engine.characters",
    "ChunkReport": "engine.online.live",
    "FilmPiece": "engine.base.job",
    "GuidanceScales": "engine.flow.guidance",
    "LiveConfig": "engine.online.live",
    "LiveFrame": "engine.online.live",
    "LiveSession": "engine.online.session",
    "LiveState": "engine.online.states",
    "LoadedPack": "engine.loaded_pack",
    "LookaheadConfig": "engine.online.lookahead",
    "MuteSpan": "engine.base.job",
    "PerformJob": "engine.base.job",
    "PromptSpan": "engine.base.job",
    "SessionReport": "engine.online.live",
    "WindowStore": "engine.base.window_store",
    "find_character": "engine.characters",
    "load_character": "engine.characters",
    "load_pack": "engine.loaded_pack",
    "open_session": "engine.online.opening",
    "perform": "engine.base.performer",
    "perform_online": "engine.online.film",
    "performing_live": "engine.online.opening",
    "restore_session": "engine.online.opening",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
