"""Streaming sound (paper 4.1): packets of any size and rate become one track on the session's clock, and windows of it rows.

A track is pushed at its end and taken at the pace of the chunks; what is taken belongs to frames from then on. A chunk's features
come from `history_frames` before it, itself, and `future_frames` after it as far as they have arrived when the chunk begins;
so they follow from the samples alone, however these were cut into packets. Must not know threads or models' insides.
"""

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.encoders.protocol import AudioRows
from engine.errors import BadInputError
from engine.model_config import AudioWindow
from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ

SAMPLES_PER_FRAME = SOUND_RATE_HZ // FRAME_RATE_HZ
_MOMENT_SAMPLES = SOUND_RATE_HZ // 100
_RATES_HZ = (2_000, 768_000)


class SoundTrack:
    """Mono sound at 24 kHz on the session's clock: frame f is samples [1000 f, 1000 f + 1000); where nothing was pushed, silence."""

    def __init__(self, kept_frames: int, most_waiting_s: float = 120.0) -> None:
        """`kept_frames` before the taken end stay known; more than `most_waiting_s` ahead of it is refused."""
        self._kept_samples = kept_frames * SAMPLES_PER_FRAME
        self._most_waiting = round(most_waiting_s * SOUND_RATE_HZ)
        self._resampler: tuple[int, soxr.ResampleStream] | None = None
        self._base = 0  # the place of `_sound_S[0]` on the clock
        self._taken = 0
        self._sound_S = np.zeros(0, np.float32)

    @property
    def taken_frames(self) -> int:
        """The frame up to which the sound belongs to chunks."""
        return self._taken // SAMPLES_PER_FRAME

    @property
    def end_frame(self) -> int:
        """The frame in which the sound that was pushed ends."""
        return (self._base + len(self._sound_S)) // SAMPLES_PER_FRAME

    @property
    def waiting_samples(self) -> int:
        """Samples pushed and not yet taken."""
        return max(self._base + len(self._sound_S) - self._taken, 0)

    def push(self, packet_S: NDArray[np.float32], rate_hz: int = SOUND_RATE_HZ) -> int:
        """Append a packet; the samples at 24 kHz it came to. `BadInputError`, and nothing is lost, for one that cannot be used.

        The first sound after a pause of the stream begins where the next chunk will.
        """
        packet_S = np.asarray(packet_S)
        if packet_S.ndim != 1 or packet_S.dtype.kind != "f" or not np.isfinite(packet_S).all():
            raise BadInputError("sound must be pushed as one channel of finite floating-point numbers")
        if not _RATES_HZ[0] <= rate_hz <= _RATES_HZ[1]:
            raise BadInputError(f"a sampling rate of {rate_hz} Hz cannot be used; push sound of 16000 to 48000 Hz")
        coming = len(packet_S) * SOUND_RATE_HZ // rate_hz
        if self.waiting_samples + coming > self._most_waiting:
            raise BadInputError(
                f"{self.waiting_samples / SOUND_RATE_HZ:.0f} s of sound are waiting; pull frames before pushing more"
            )
        return self._append(self._resampled(packet_S.astype(np.float32, copy=False), rate_hz))

    def end_of_stream(self) -> None:
        """Let out what the resampler still holds back."""
        if self._resampler is not None:
            rest_S = self._resampler[1].resample_chunk(np.zeros(0, np.float32), last=True)
            self._resampler = None
            self._append(rest_S)

    def take(self, end_frame: int, next_shown_frame: int | None = None) -> None:
        """Sound before `end_frame` belongs to chunks from now on; what is too old is forgotten.

        Nothing from `next_shown_frame` on is too old, however far ahead the chunks are.
        """
        self._taken = max(self._taken, end_frame * SAMPLES_PER_FRAME)
        oldest = self._taken if next_shown_frame is None else min(self._taken, next_shown_frame * SAMPLES_PER_FRAME)
        self._forget_before(oldest - self._kept_samples)

    def give_back(self, first_frame: int) -> None:
        """Sound from `first_frame` on waits again: its frames were withdrawn."""
        self._taken = min(self._taken, first_frame * SAMPLES_PER_FRAME)

    def cut(self, first_frame: int) -> bool:
        """Sound from `first_frame` on will not be heard any more; whether there was any that is not silence."""
        place = max(first_frame * SAMPLES_PER_FRAME - self._base, 0)
        was_heard = self._resampler is not None or bool(self._sound_S[place:].any())
        self._resampler, self._sound_S = None, self._sound_S[:place]
        return was_heard

    def drop_oldest_waiting(self, most_samples: int) -> int:
        """Forget the oldest of what waits, so that no more than `most_samples` do; how many were forgotten."""
        surplus = self.waiting_samples - most_samples
        if surplus <= 0:
            return 0
        place = self._taken - self._base
        self._sound_S = np.concatenate([self._sound_S[:place], self._sound_S[place + surplus :]])
        return surplus

    def drop_quiet_waiting(self, most_samples: int, level: float) -> int:
        """Forget the oldest of what waits beyond `most_samples`, as long as it is below a level (root mean square of a hundredth second).

        How many samples were forgotten. Nobody misses them, and what comes behind them is heard so much sooner.
        """
        surplus_S = self._sound_S[self._taken - self._base :][: max(self.waiting_samples - most_samples, 0)]
        num_moments = len(surplus_S) // _MOMENT_SAMPLES
        moments_TS = surplus_S[: num_moments * _MOMENT_SAMPLES].reshape(num_moments, _MOMENT_SAMPLES)
        is_loud_T = np.sqrt(np.square(moments_TS).mean(axis=1)) >= level
        num_quiet = int(is_loud_T.argmax()) if is_loud_T.any() else num_moments
        return self.drop_oldest_waiting(self.waiting_samples - num_quiet * _MOMENT_SAMPLES)

    def between(self, first_frame: int, end_frame: int) -> NDArray[np.float32]:
        """The sound of these frames, silence where there is none."""
        first, end = first_frame * SAMPLES_PER_FRAME, end_frame * SAMPLES_PER_FRAME
        sound_S = np.zeros(end - first, np.float32)
        inside = slice(max(first, self._base), min(end, self._base + len(self._sound_S)))
        if inside.start < inside.stop:
            sound_S[inside.start - first : inside.stop - first] = self._sound_S[
                inside.start - self._base : inside.stop - self._base
            ]
        return sound_S

    def state(self) -> tuple[int, int, NDArray[np.float32]]:
        """Where it begins, how much is taken, and the sound itself: for a file. What a resampler holds back is let out."""
        self.end_of_stream()
        return self._base, self._taken, self._sound_S.copy()

    def restore(self, base: int, taken: int, sound_S: NDArray[np.float32]) -> None:
        """Take on what `state` gave; `BadInputError` for what it cannot have given."""
        if not base >= 0 or taken < 0 or sound_S.ndim != 1 or not np.isfinite(sound_S).all():
            raise BadInputError("the session's sound is damaged; open a new session")
        self._base, self._taken, self._sound_S, self._resampler = base, taken, sound_S.astype(np.float32), None
        if base + len(sound_S) < taken - self._kept_samples:  # a gap that nobody will hear: no memory for it
            self._forget_before(taken - self._kept_samples)

    def _forget_before(self, oldest: int) -> None:
        """Nothing before this place on the clock is needed, whether there is sound or, after a long silence, none."""
        surplus = oldest - self._base
        if surplus > 0:
            self._sound_S = _trimmed(self._sound_S, min(surplus, len(self._sound_S)))
            self._base = oldest

    def _append(self, sound_S: NDArray[np.float32]) -> int:
        end = self._base + len(self._sound_S)
        if end < self._taken and len(sound_S):
            gap_S = np.zeros(self._taken - end, np.float32)
            self._sound_S = np.concatenate([self._sound_S, gap_S, sound_S])
        else:
            self._sound_S = np.concatenate([self._sound_S, sound_S])
        return len(sound_S)

    def _resampled(self, packet_S: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
        if self._resampler is not None and self._resampler[0] != rate_hz:
            self.end_of_stream()
        if rate_hz == SOUND_RATE_HZ:
            return packet_S
        if self._resampler is None:
            self._resampler = (rate_hz, soxr.ResampleStream(rate_hz, SOUND_RATE_HZ, 1, dtype="float32", quality="HQ"))
        resampled_S: NDArray[np.float32] = self._resampler[1].resample_chunk(packet_S)
        return resampled_S


def _trimmed(sound_S: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Without the first `count` samples; copied only when half of what holds them is not needed any more, since this is done each
    frame and minutes of sound may wait.
    """
    rest_S = sound_S[count:]
    held = sound_S if sound_S.base is None else sound_S.base
    return rest_S.copy() if 2 * len(rest_S) <= len(held) else rest_S


def encode_window(
    encoder: AudioRows, window_S: NDArray[np.float32], frames_before: int, num_latents: int, window: AudioWindow
) -> Tensor:
    """The rows [1, A, D] that `num_latents` latents may hear, out of sound whose frame `frames_before` is their first one.

    Everything outside the window of sound is silence to the encoder.
    """
    num_rows = window.rows_before + num_latents * window.rows_per_latent + window.rows_after
    start_frame = frames_before - window.rows_before * encoder.frames_per_row
    return encoder.encode_rows(torch.from_numpy(window_S), start_frame, num_rows)[None]
