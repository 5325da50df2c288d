"""`lpm evaluate speech`: does the mouth of a film follow the voice of a real person, and more closely than a voice gate would?

Called by `cli`. Real speech has no truth to compare with, so the opening is held against the envelope of the sound; what a plain
gate (mouth open while there is sound) scores on the same measures is printed beside it. Knows nothing of packs.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInputError
from engine.media.film_reading import probe_film, read_film_frames
from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ
from training.bench.measures import FALSE_LIP_SHARE, SPEAKING_RANGE_PERCENTILE
from training.bench.reading import BATCH_FRAMES, joined, read_film, resized
from training.bench.regressor import LoadedRegressor
from training.bench.report import Bar
from training.bench.statistics import best_lag, pearson, shifted

Series = NDArray[np.float32]

SAMPLES_PER_FRAME: Final = SOUND_RATE_HZ // FRAME_RATE_HZ
MAX_LAG_FRAMES: Final = 3
LOUD_PERCENTILE: Final = 95.0
GATE_DB: Final = (-30.0, -18.0)  # of the loud vowels; the gate lies between these, above the recording's noise
NOISE_PERCENTILE: Final = 10.0
ABOVE_NOISE_DB: Final = 10.0
PAUSE_FRAMES: Final = 5  # a shorter gap is a stop consonant and no pause
PAUSE_MARGIN_FRAMES: Final = 2  # lips may close a little late and open a little early
WRONG_SHIFTS: Final = (0.27, 0.41, 0.59, 0.73)  # shares of the sound's length, where no other voice is given


@dataclass(frozen=True, kw_only=True)
class SpeechFigures:
    """What one mouth scores against one voice."""

    r: float
    lag_frames: int
    r_voiced: float
    r_wrong: float
    pause_closed: float
    pause_opening: float

    def as_table(self) -> dict[str, float]:
        """Rounded, for the report."""
        return {
            "r": round(self.r, 4),
            "lag_frames": self.lag_frames,
            "r_voiced": round(self.r_voiced, 4),
            "r_wrong": round(self.r_wrong, 4),
            "pause_closed": round(self.pause_closed, 4),
            "pause_opening": round(self.pause_opening, 4),
        }


BARS: Final = {
    "r": Bar(least=0.5),
    "r_voiced": Bar(least=0.25),
    "r_wrong": Bar(most=0.15),
    "pause_closed": Bar(least=0.8),
}
TITLES: Final = {
    "r": "opening follows the envelope, r",
    "r_voiced": "the same within voiced frames, r",
    "r_wrong": "against a wrong voice, r",
    "pause_closed": "mouth closed in pauses, share of frames",
}


def read_opening(regressor: LoadedRegressor, film: Path) -> Series:
    """The mouth opening of each frame of a film at 24 fps; constant memory with length."""
    facts = probe_film(film)
    if abs(facts.frame_rate_hz - FRAME_RATE_HZ) > 0.01:
        raise BadInputError(
            f"{film}: {facts.frame_rate_hz:g} frames a second; the check reads films of {FRAME_RATE_HZ}"
        )
    size_px = regressor.network.config.picture_px
    parts = [read_film(regressor, np.stack(batch)) for batch in _batches(read_film_frames(film), size_px)]
    if not parts:
        raise BadInputError(f"{film}: the film has no frames; make it again")
    return joined(parts).series("mouth_open")


def _batches(frames: Iterable[NDArray[np.uint8]], size_px: int) -> Iterator[list[NDArray[np.uint8]]]:
    batch: list[NDArray[np.uint8]] = []
    for frame_HWC in frames:
        batch.append(resized(_centre_square(frame_HWC), size_px))
        if len(batch) == BATCH_FRAMES:
            yield batch
            batch = []
    if batch:
        yield batch


def _centre_square(frame_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = frame_HWC.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return frame_HWC[top : top + side, left : left + side]


def level_db(sound_S: Series, num_frames: int) -> Series:
    """Loudness of each frame in dB below the loud vowels (the 95th percentile of all frames), at most 0, at least -80."""
    padded = np.zeros(num_frames * SAMPLES_PER_FRAME, dtype=np.float64)
    kept = min(len(sound_S), len(padded))
    padded[:kept] = sound_S[:kept]
    rms_T = np.sqrt(np.square(padded.reshape(num_frames, SAMPLES_PER_FRAME)).mean(axis=1))
    loud = max(float(np.percentile(rms_T, LOUD_PERCENTILE)), 1e-6)
    level_T: Series = np.clip(20.0 * np.log10(np.maximum(rms_T / loud, 1e-4)), -80.0, 0.0).astype(np.float32)
    return level_T


def envelope(level_db_T: Series) -> Series:
    """The speech envelope 0..1: the square root of amplitude, smoothed over three frames as a jaw follows no faster.

    Of linear, square root and decibels the root is nearest to both what a jaw does and what a viewer expects of it.
    """
    root_T = 10.0 ** (level_db_T / 40.0)
    return np.convolve(np.pad(root_T, 1, mode="edge"), (0.25, 0.5, 0.25), mode="valid").astype(np.float32)


def gate(level_db_T: Series) -> Series:
    """The plain voice gate: 1 in voiced frames, 0 elsewhere; it opens 10 dB above the recording's own noise."""
    noise_db = float(np.percentile(level_db_T, NOISE_PERCENTILE))
    opens_db = float(np.clip(noise_db + ABOVE_NOISE_DB, *GATE_DB))
    return (level_db_T > opens_db).astype(np.float32)


def pauses(level_db_T: Series) -> NDArray[np.bool_]:
    """Frames inside pauses: silent for at least `PAUSE_FRAMES`, less a margin beside speech."""
    silent_T = gate(level_db_T) < 0.5
    inside_T = np.zeros(len(silent_T), dtype=np.bool_)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], silent_T, [False]]).astype(np.int8)))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start >= PAUSE_FRAMES:
            first = start + PAUSE_MARGIN_FRAMES if start > 0 else 0
            last = end - PAUSE_MARGIN_FRAMES if end < len(silent_T) else end
            inside_T[first:last] = True
    return inside_T


def speech_figures(opening_T: Series, sound_S: Series, wrong_S: Series | None) -> SpeechFigures:
    """Score one series of openings against the sound, and against a wrong one at the same lag.

    Without `wrong_S` the sound itself, turned round by several shares of its length, is the wrong voice; their mean is told.
    """
    num_frames = len(opening_T)
    level_T = level_db(sound_S, num_frames)
    r, lag = best_lag(opening_T, envelope(level_T), MAX_LAG_FRAMES)
    shown_T, heard_T = shifted(opening_T, envelope(level_T), lag)
    voiced_T = shifted(opening_T, gate(level_T), lag)[1] > 0.5
    pause_T = shifted(opening_T, pauses(level_T), lag)[1]
    reach = max(float(np.percentile(shown_T[voiced_T], SPEAKING_RANGE_PERCENTILE)), 1e-6) if voiced_T.any() else 1.0
    has_pause = bool(pause_T.any())
    return SpeechFigures(
        r=r,
        lag_frames=lag,
        r_voiced=pearson(shown_T[voiced_T], heard_T[voiced_T]),
        r_wrong=_wrong_r(opening_T, sound_S, wrong_S, lag),
        pause_closed=float((shown_T[pause_T] <= FALSE_LIP_SHARE * reach).mean()) if has_pause else 1.0,
        pause_opening=float(shown_T[pause_T].mean() / reach) if has_pause else 0.0,
    )


def _wrong_r(opening_T: Series, sound_S: Series, wrong_S: Series | None, lag: int) -> float:
    num_frames = len(opening_T)
    if wrong_S is not None:
        repeated_S = np.resize(wrong_S, num_frames * SAMPLES_PER_FRAME)
        return pearson(*shifted(opening_T, envelope(level_db(repeated_S, num_frames)), lag))
    heard_T = envelope(level_db(sound_S, num_frames))
    turned = [np.roll(heard_T, round(share * num_frames)) for share in WRONG_SHIFTS]
    return float(np.mean([pearson(*shifted(opening_T, wrong_T, lag)) for wrong_T in turned]))


def speech_report(film: SpeechFigures, plain_gate: SpeechFigures) -> dict[str, object]:
    """Film and gate beside each other, with the bars; the gate is no judge, it shows what is too easy."""
    scores = film.as_table()
    return {
        "film": {**scores, "reached": {name: bar.is_reached_by(scores[name]) for name, bar in BARS.items()}},
        "voice_gate": plain_gate.as_table(),
        "bars": {name: str(bar) for name, bar in BARS.items()},
    }


def speech_table(film: SpeechFigures, plain_gate: SpeechFigures) -> str:
    """For a terminal."""
    ours, easy = film.as_table(), plain_gate.as_table()
    lines = [f"{'':44} {'film':>7} {'gate':>7}  {'bar':<8} reached"]
    for name, bar in BARS.items():
        verdict = "yes" if bar.is_reached_by(ours[name]) else "NO"
        lines.append(f"{TITLES[name]:44} {ours[name]:7.3f} {easy[name]:7.3f}  {bar!s:<8} {verdict}")
    lines.append(f"{'lag of the mouth behind the sound, frames':44} {film.lag_frames:7d} {plain_gate.lag_frames:7d}")
    lines.append(
        f"{'mean opening in pauses, of the range':44} {film.pause_opening:7.3f} {plain_gate.pause_opening:7.3f}"
    )
    return "\n".join(lines)
