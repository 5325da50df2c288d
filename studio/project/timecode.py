"""Arithmetic of the timeline: frames, samples and chunks as integers, and how a person reads them.

Called by the document, the commands and the timeline views. Knows nothing of Qt, files or the engine's model.
"""

from typing import Final

from engine.media.rates import SAMPLES_PER_FRAME, frames_for_samples
from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ

__all__ = ["FRAME_RATE_HZ", "SAMPLES_PER_FRAME", "SOUND_RATE_HZ", "frames_for_samples"]

CHUNK_FRAMES: Final = 24
LATENT_FRAMES: Final = 4  # frames in one latent: a performance is a whole number of latents
MAX_FRAMES: Final = 2 * 3600 * FRAME_RATE_HZ  # two hours, the longest sound that is read


def format_timecode(frame: int) -> str:
    """A frame as `HH:MM:SS:FF`, which every tool for films reads the same way."""
    seconds, frames = divmod(max(frame, 0), FRAME_RATE_HZ)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}:{frames:02d}"


def clock_text(seconds: int) -> str:
    """Whole seconds as a clock shows them: `0:14`, or `1:02:05` from one hour on."""
    minutes, seconds = divmod(max(seconds, 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def parse_timecode(text: str) -> int | None:
    """The frame that a person typed: `SS`, `SS:FF`, `MM:SS:FF` or `HH:MM:SS:FF`; None if it is not a time."""
    parts = text.strip().split(":")
    if not 1 <= len(parts) <= 4 or not all(part.isascii() and part.isdigit() and len(part) <= 6 for part in parts):
        return None
    numbers = [int(part) for part in parts]
    if len(numbers) == 1:
        return min(numbers[0] * FRAME_RATE_HZ, MAX_FRAMES)
    frames = numbers.pop()
    seconds = 0
    for number in numbers:
        seconds = seconds * 60 + number
    return min(seconds * FRAME_RATE_HZ + frames, MAX_FRAMES)


def num_chunks(num_frames: int) -> int:
    """How many chunks cover `num_frames`, the last one perhaps in part."""
    return -(-num_frames // CHUNK_FRAMES)


def chunk_of(frame: int) -> int:
    """The index of the chunk that holds `frame`."""
    return frame // CHUNK_FRAMES


def nearest_chunk_edge(frame: int) -> int:
    """The boundary of the chunk grid nearest to `frame`."""
    return (frame + CHUNK_FRAMES // 2) // CHUNK_FRAMES * CHUNK_FRAMES


def seconds_text(num_frames: int) -> str:
    """A duration as a person reads it: `8.5 s` or `2 min 5 s`."""
    seconds = num_frames / FRAME_RATE_HZ
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
