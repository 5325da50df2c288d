"""A job's conditions for one window: what it is told, as plain sound and words, and the same encoded for the transformer.

The two are apart so that a window can be recognised by what it is told without running an encoder (see `fingerprints`).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.base.continuation import WindowPlan
from engine.base.film_clock import FilmClock
from engine.base.job import SAMPLES_PER_FRAME, PerformJob
from engine.carried_feelings import parts_for
from engine.characters import Reference
from engine.directed_references import DirectedReferences
from engine.encoders.protocol import AudioRows
from engine.loaded_pack import LoadedPack
from engine.media.samples import Samples, excerpt
from engine.model_config import AudioWindow
from engine.motion.muteness import mute_frames
from engine.turns import told_in_turn


@dataclass(frozen=True, kw_only=True)
class HeardSound:
    """All the sound [S] that can reach a window's rows, and the frame of the film (perhaps before it) that it begins at."""

    first_frame: int
    sound_S: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class WindowTold:
    """What one window is told and shown, as a person would recognise it."""

    text: str
    references: tuple[Reference, ...]
    speak: HeardSound
    listen: HeardSound


@dataclass(frozen=True, kw_only=True)
class WindowConditions:
    """What one window is told, batch of one; the first rows of sound are so many rows from the window's first latent.

    `is_mute_BT` says in which of its frames the character's own voice is mute (`engine.motion.muteness`).
    """

    text_BSD: Tensor
    speak_BAD: Tensor
    listen_BAD: Tensor
    speak_start_row: int
    listen_start_row: int
    is_mute_BT: Tensor


class JobConditions:
    """Reads a job's sound and words window by window and encodes them when asked, so that memory does not grow."""

    def __init__(self, pack: LoadedPack, job: PerformJob) -> None:
        self.pack = pack
        self.directions = told_in_turn(job.directions, parts_for(pack))
        self.clock = FilmClock(pack.codec)
        self.speak_S, self.listen_S = job.track("speak"), job.track("listen")
        self.references = DirectedReferences(pack, job.character, pack.base.max_references)
        self._texts: dict[str, Tensor] = {}

    def told(self, plan: WindowPlan) -> WindowTold:
        """What a window is told; its text is the one that holds in most of what it makes anew."""
        made_from, made_to = (self.clock.start_frame(plan.start + place) for place in (plan.history, plan.num_latents))
        text = self.directions.over(made_from, made_to)
        return WindowTold(
            text=text,
            references=self.references.chosen(text),
            speak=self._heard(self.pack.speak_encoder, self.speak_S, plan, self._windows[0]),
            listen=self._heard(self.pack.listen_encoder, self.listen_S, plan, self._windows[1]),
        )

    def encode(self, plan: WindowPlan, told: WindowTold) -> WindowConditions:
        """The same for the transformer."""
        if told.text not in self._texts:
            self._texts = {told.text: self.pack.text_encoder.encode([told.text]).to(self.pack.device)}
        speak_AD = self._rows(self.pack.speak_encoder, told.speak, plan, self._windows[0])
        listen_AD = self._rows(self.pack.listen_encoder, told.listen, plan, self._windows[1])
        lead = self._lead_latents(plan)
        speak_start, listen_start = (-lead * each.rows_per_latent - each.rows_before for each in self._windows)
        return WindowConditions(
            text_BSD=self._texts[told.text],
            speak_BAD=speak_AD[None],
            listen_BAD=listen_AD[None],
            speak_start_row=speak_start,
            listen_start_row=listen_start,
            is_mute_BT=self._mute_frames(plan, told.speak)[None],
        )

    @cached_property
    def no_text_BSD(self) -> Tensor:
        """What guidance tells the branch without text."""
        return self.pack.text_encoder.encode([""]).to(self.pack.device)

    @property
    def _windows(self) -> tuple[AudioWindow, AudioWindow]:
        config = self.pack.transformer.config
        return config.speak_window, config.listen_window

    def _heard(self, encoder: AudioRows, track_S: Samples | None, plan: WindowPlan, window: AudioWindow) -> HeardSound:
        first, end = encoder.frames_heard(*self._row_span(encoder, plan, window))
        return HeardSound(
            first_frame=first, sound_S=excerpt(track_S, first * SAMPLES_PER_FRAME, end * SAMPLES_PER_FRAME)
        )

    def _mute_frames(self, plan: WindowPlan, voice: HeardSound) -> Tensor:
        start, end = (self.clock.start_frame(latent) for latent in (plan.start, plan.start + plan.num_latents))
        return mute_frames(voice.sound_S, voice.first_frame, start, end)

    def _rows(self, encoder: AudioRows, heard: HeardSound, plan: WindowPlan, window: AudioWindow) -> Tensor:
        """The rows [A, D] of one sound that a window's latents may hear."""
        start_frame, num_rows = self._row_span(encoder, plan, window)
        return encoder.encode_rows(torch.from_numpy(heard.sound_S), start_frame - heard.first_frame, num_rows)

    def _row_span(self, encoder: AudioRows, plan: WindowPlan, window: AudioWindow) -> tuple[int, int]:
        """The frame that a window's first row begins at, and how many rows there are."""
        lead = self._lead_latents(plan)
        num_rows = window.rows_before + (lead + plan.num_latents) * window.rows_per_latent + window.rows_after
        start_frame = self.clock.start_frame(plan.start - lead) - window.rows_before * encoder.frames_per_row
        return start_frame, num_rows

    def _lead_latents(self, plan: WindowPlan) -> int:
        """Latents before a window whose sound is told too: a plan of motion looks back further than the window does."""
        if self.pack.motion is None:
            return 0
        return max(self.pack.motion.settings.history_rows - plan.history - plan.overlap, 0)
