"""The speech library: the same text is the same sound, whenever it is spoken."""

import time

import numpy as np

from engine.media.espeak import open_espeak


def test_a_text_sounds_the_same_a_second_later() -> None:
    """The library seeds its noise by the clock, in whole seconds, whenever it is opened."""
    espeak = open_espeak()

    def speak() -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        return espeak.speak("Good morning.", "en-us+f2", pitch=50, pitch_range=50, words_per_minute=155)[0]

    first = speak()
    time.sleep(1.05)
    np.testing.assert_array_equal(speak(), first)
    assert len(first) > 0.3 * espeak.rate_hz
