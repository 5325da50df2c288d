"""The character's own voice out of a finished film: what its lips can be held against when no sound file is left.

Called by the speech check. Films say in their mix who is who: the character stands a little to the left (`engine.media.film_sound`).
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInputError
from engine.media.film_reading import MAX_FILM_S, open_film
from engine.media.film_sound import character_voice
from engine.shapes import SOUND_RATE_HZ


def read_film_voice(path: Path) -> NDArray[np.float32]:
    """What the character says, mono float32 [S] at 24 kHz, sample for sample with the film's frames.

    `BadInputError` where the film has no sound, has not the one or two channels that films of ours have, or cannot be read.
    """
    return np.concatenate(list(_blocks(path)))


def _blocks(path: Path) -> Iterator[NDArray[np.float32]]:
    with open_film(path) as (media, facts):
        if facts.num_channels not in (1, 2):
            found = f"{facts.num_channels} channels of sound" if facts.num_channels else "no sound"
            raise BadInputError(f"{path}: the film has {found}; give the voice as a file of its own")
        layout = "mono" if facts.num_channels == 1 else "stereo"
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=SOUND_RATE_HZ)
        num_samples = 0
        for frame in chain(media.decode(audio=0), [None]):
            for piece in resampler.resample(frame):
                voice_S = character_voice(piece.to_ndarray().astype(np.float32, copy=False))
                num_samples += len(voice_S)
                if num_samples > MAX_FILM_S * SOUND_RATE_HZ:
                    raise BadInputError(f"{path}: the film is longer than its header says; export it again")
                yield voice_S
        if not num_samples:
            raise BadInputError(f"{path}: the film has no sound; give the voice as a file of its own")
