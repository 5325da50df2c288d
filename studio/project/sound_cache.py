"""Decoded sounds and their outlines, kept while a project is open.

Called by the player and the waveform tracks. Knows no Qt; the bytes come from whoever reads the project's media.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from studio.project.blobs import decode_sound
from studio.project.render_plan import MediaReader

SAMPLES_PER_PEAK: Final = 125  # eight peaks a frame: finer than a pixel at every zoom but the closest


class SoundCache:
    """Sounds by content hash; a hash never changes its sound, so nothing here grows stale."""

    def __init__(self, media: MediaReader) -> None:
        """Start empty."""
        self._media = media
        self._samples: dict[str, NDArray[np.float32]] = {}
        self._peaks: dict[str, NDArray[np.float32]] = {}

    def samples(self, sha: str) -> NDArray[np.float32]:
        """The whole sound, mono float32 at 24 kHz."""
        if sha not in self._samples:
            self._samples[sha] = decode_sound(self._media(sha))
        return self._samples[sha]

    def peaks(self, sha: str) -> NDArray[np.float32]:
        """Lowest and highest sample of every 125, [peaks, 2]."""
        if sha not in self._peaks:
            self._peaks[sha] = peaks_of(self.samples(sha))
        return self._peaks[sha]


def peaks_of(samples_S: NDArray[np.float32]) -> NDArray[np.float32]:
    """The outline of a sound: lowest and highest of every 125 samples, [peaks, 2]."""
    num_peaks = -(-len(samples_S) // SAMPLES_PER_PEAK)
    padded = np.zeros(num_peaks * SAMPLES_PER_PEAK, dtype=np.float32)
    padded[: len(samples_S)] = samples_S
    blocks = padded.reshape(num_peaks, SAMPLES_PER_PEAK)
    return np.stack([blocks.min(axis=1), blocks.max(axis=1)], axis=1)


def outline(peaks: NDArray[np.float32], num_points: int) -> NDArray[np.float32]:
    """The outline with at most `num_points` points, so that drawing costs what the screen is wide; extremes are kept."""
    step = max(-(-len(peaks) // max(num_points, 1)), 1)
    if step == 1:
        return peaks
    whole = len(peaks) // step * step
    lows = peaks[:whole, 0].reshape(-1, step).min(axis=1)
    highs = peaks[:whole, 1].reshape(-1, step).max(axis=1)
    return np.stack([lows, highs], axis=1)
