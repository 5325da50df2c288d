"""The clocks of picture and sound as files know them, derived from the engine's own; readers and writers of media import them here."""

from typing import Final

from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ

FILM_SOUND_RATE_HZ: Final = 48_000
SAMPLES_PER_FRAME: Final = SOUND_RATE_HZ // FRAME_RATE_HZ


def frames_for_samples(num_samples: int) -> int:
    """How many whole frames hold this much sound: the last one may be only partly filled."""
    return -(-num_samples // SAMPLES_PER_FRAME)
