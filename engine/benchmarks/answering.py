"""Reactions and interruptions of live sessions in real time, each kind in a session of its own. Called by `lpm bench stream`."""

from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import torch

from engine.benchmarks.conversation import Voices
from engine.benchmarks.mouth_closing import CutPictures
from engine.benchmarks.reaction import (
    CALM_PROMPT,
    CHANGE_KINDS,
    Recording,
    record_changes,
    record_interruptions,
)
from engine.benchmarks.twins import reactions_of
from engine.characters import Character
from engine.loaded_pack import LoadedPack
from engine.online.live import LiveConfig
from engine.online.opening import open_session, session_stages

LOW_LATENCY_LATENTS: Final = 2
WAYS_TO_CUT: Final = MappingProxyType({"interruption": True, "interruption_at_the_boundary": False})
"""Whether what was made ahead is taken back, or plays to the end of its chunks first."""


def low_latency(pack: LoadedPack) -> int:
    """The chunk that answers soonest of those that the pack was made for."""
    if pack.online is not None:
        return min(pack.online.settings.chunk_choices)
    return min(LOW_LATENCY_LATENTS, pack.base.window_latents - pack.base.history_latents)


def measure_reactions(
    pack: LoadedPack, character: Character, config: LiveConfig, voices: Voices, moments: int
) -> dict[str, Any]:
    """From each kind of change to the first changed frame as played, at so many random moments each.

    Who is spoken to is left to itself, so that its state may act (waiting becomes listening); otherwise it waits as it was told.
    """
    found: dict[str, Any] = {}
    for number, kind in enumerate(CHANGE_KINDS):
        recording = Recording(kind=kind)
        voice_S = voices.listen_S if kind == "listen" else voices.speak_S
        config = replace(config, prompt="" if kind == "listen" else CALM_PROMPT)
        with open_session(character, pack, config, on_chunk=recording.jobs.append) as session:
            record_changes(session, recording, voice_S, moments, seed=number)
            report = session.report()
        stages, _ = session_stages(character, pack, config)  # with as many threads as the session was opened with
        threads_before = torch.get_num_threads()
        if config.split == "pipeline":
            torch.set_num_threads(1)  # as its workers had, so that sums are rounded alike
        reactions = reactions_of(recording, stages, config)
        torch.set_num_threads(threads_before)
        found[kind] = reactions.as_table() | {
            "repeated_frames": report.repeated_frames,
            "chunk_ms_p95": round(report.chunk_ms_p95, 1),
            "lookahead_frames": report.lookahead_frames,
        }
    return found


def play_interruptions(
    pack: LoadedPack, character: Character, config: LiveConfig, voices: Voices, moments: int, way: str
) -> tuple[Recording, CutPictures]:
    """Utterances that are cut at so many random moments in one of `WAYS_TO_CUT`, and the pictures around the cuts."""
    recording = Recording(kind="interruption")
    pictures = CutPictures(recording)
    config = replace(config, prompt=CALM_PROMPT)
    with open_session(character, pack, config, on_chunk=recording.jobs.append) as session:
        cut = partial(session.interrupt, withdraw=WAYS_TO_CUT[way])
        record_interruptions(session, recording, voices.speak_S, moments, len(CHANGE_KINDS), cut, pictures.see)
    return recording, pictures
