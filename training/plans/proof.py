"""That a pack made by a plan loads and performs: a film of a second by its base model and a second live, both looked at by the machine."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from engine import PerformJob, load_pack, perform
from engine.errors import BadPackError
from engine.media.film import FilmWriter
from engine.media.film_sound import FilmSound
from training.actor.as_character import character_of
from training.actor.identity import sample_identity
from training.actor.performance import perform_clip
from training.actor.voices import VoicePool
from training.bench.cases import HELD_OUT_SEED, FilmRequest
from training.bench.live_films import LiveFilms

NUM_FRAMES: Final = 36
FILM_NAME, LIVE_NAME = "film.mp4", "live.mp4"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Frames made and the seconds that took; by the base model, and live."""

    frames: int
    film_s: float
    live_s: float
    film: str = FILM_NAME
    live: str = LIVE_NAME

    def line(self) -> str:
        """For a person."""
        return f"{self.frames} frames in {self.film_s:.1f} s ({self.film}), live in {self.live_s:.1f} s ({self.live})"


def prove(folder: Path, output: Path) -> Proof:
    """Loads the pack and lets a held-out actor speak; films go to `output`. `BadPackError` where what comes is no film."""
    pack = load_pack(folder)
    performance = perform_clip(HELD_OUT_SEED, NUM_FRAMES, "speak", VoicePool.discover().for_evaluation())
    character = character_of(sample_identity(HELD_OUT_SEED), pack.film_px)
    begun_s = time.perf_counter()
    job = PerformJob(character=character, num_frames=NUM_FRAMES, speak_S=performance.speak_S)
    film_THWC = np.concatenate([piece.frames_THWC for piece in perform(pack, job)])
    filmed_s = time.perf_counter()
    request = FilmRequest(
        character=character, speak_S=performance.speak_S, listen_S=None, prompts=(), num_frames=NUM_FRAMES, seed=0
    )
    live_THWC = LiveFilms(pack=pack).film(request)
    ended_s = time.perf_counter()
    for name, frames_THWC, side_px in ((FILM_NAME, film_THWC, pack.film_px), (LIVE_NAME, live_THWC, pack.size_px)):
        if frames_THWC.shape != (NUM_FRAMES, side_px, side_px, 3) or frames_THWC.std() == 0:
            raise BadPackError(
                f"{folder} does not perform: {name} would have frames of shape {frames_THWC.shape}, or one colour"
            )
        with FilmWriter(output / name, size_px=side_px, sound=FilmSound(speak_S=performance.speak_S)) as film:
            film.append(frames_THWC)
            film.commit()
    return Proof(frames=NUM_FRAMES, film_s=round(filmed_s - begun_s, 2), live_s=round(ended_s - filmed_s, 2))
