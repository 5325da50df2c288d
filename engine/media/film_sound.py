"""The sound track of a film, mixed while it is written: the character's voice and the partner's, as they are in the room.

Called by `FilmWriter`, and by whoever takes such a mix apart again. One voice alone stays in the middle; where both are there the character
stands a little to the left and the partner a little to the right, so that a listener can tell them apart.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.rates import SAMPLES_PER_FRAME
from engine.media.samples import Samples, excerpt

_NEAR: Final = 0.95
_FAR: Final = 0.6
_KNEE: Final = 0.85  # above this the mix bends instead of clipping
_MOST_BENT: Final = 0.999  # nearer to full scale nobody knows how loud it was


@dataclass(frozen=True, kw_only=True)
class FilmSound:
    """Mono float32 tracks at 24 kHz; a track that ends before the film is silent from there, `None` is silent throughout."""

    speak_S: Samples | None = None
    listen_S: Samples | None = None

    def __post_init__(self) -> None:
        """Check that the tracks are mono."""
        for track_S in (self.speak_S, self.listen_S):
            if track_S is not None and track_S.ndim != 1:
                raise ValueError(f"a sound track must be mono, [samples], not one of {track_S.ndim} axes")

    @property
    def num_channels(self) -> int:
        """Two where both people are heard, else one."""
        return 2 if self.speak_S is not None and self.listen_S is not None else 1

    def cut(self, start_frame: int, num_frames: int) -> NDArray[np.float32]:
        """The mix of these frames, [channels, samples at 24 kHz]."""
        start, num_samples = start_frame * SAMPLES_PER_FRAME, num_frames * SAMPLES_PER_FRAME
        speak_S, listen_S = (excerpt(track, start, start + num_samples) for track in (self.speak_S, self.listen_S))
        if self.num_channels == 1:
            return (speak_S + listen_S)[None]
        mix_CS = np.stack([_NEAR * speak_S + _FAR * listen_S, _FAR * speak_S + _NEAR * listen_S])
        return _soft_limit(mix_CS)


def character_voice(mix_CS: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the character says [S] out of such a mix; one channel is all one voice, and taken for the character's."""
    if len(mix_CS) == 1:
        voice_S: NDArray[np.float32] = mix_CS[0]
    else:
        left_S, right_S = _without_limit(mix_CS)
        voice_S = (_NEAR * left_S - _FAR * right_S) / np.float32(_NEAR**2 - _FAR**2)
    return voice_S


def _soft_limit(mix_CS: NDArray[np.float32]) -> NDArray[np.float32]:
    over = np.maximum(np.abs(mix_CS) - _KNEE, 0.0) / (1.0 - _KNEE)
    bent = np.sign(mix_CS) * (_KNEE + (1.0 - _KNEE) * np.tanh(over))
    return np.where(over > 0, bent, mix_CS).astype(np.float32)


def _without_limit(bent_CS: NDArray[np.float32]) -> NDArray[np.float32]:
    bent = np.clip((np.abs(bent_CS) - _KNEE) / (1.0 - _KNEE), 0.0, _MOST_BENT)
    mix_CS = np.sign(bent_CS) * (_KNEE + (1.0 - _KNEE) * np.arctanh(bent))
    return np.where(bent > 0, mix_CS, bent_CS).astype(np.float32)
