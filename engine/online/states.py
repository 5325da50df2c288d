"""What the character is doing (paper, Figure 7): one pure reducer from what is heard in a chunk to the session's state.

Warm-up lasts until the first chunk is ready. Then speech of its own makes it respond, a voice in what it hears makes it listen,
and otherwise it idles. Both at once is responding: it goes on hearing through its conditions while it speaks.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from engine.shapes import FRAME_RATE_HZ

VOICE_LEVEL = 10 ** (-45 / 20)
"""Root mean square of a frame's sound, relative to full scale, from which on somebody speaks."""

HANGOVER_FRAMES = round(0.6 * FRAME_RATE_HZ)
"""Pauses up to this long belong to speech."""


class LiveState(StrEnum):
    """The states of Figure 7."""

    WARM_UP = "warm-up"
    IDLE = "idle"
    LISTENING = "listening"
    RESPONDING = "responding"


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What happened lately: whether a chunk was ever ready, and for how many frames neither side's voice was heard."""

    is_warm: bool = False
    frames_since_speak: int = HANGOVER_FRAMES
    frames_since_listen: int = HANGOVER_FRAMES

    @property
    def state(self) -> LiveState:
        """The state that follows."""
        if not self.is_warm:
            return LiveState.WARM_UP
        if self.frames_since_speak < HANGOVER_FRAMES:
            return LiveState.RESPONDING
        if self.frames_since_listen < HANGOVER_FRAMES:
            return LiveState.LISTENING
        return LiveState.IDLE


@dataclass(frozen=True, kw_only=True)
class ChunkReady:
    """The first pictures are there."""


@dataclass(frozen=True, kw_only=True)
class SoundHeard:
    """The sound of the next chunk, both tracks."""

    speak_S: NDArray[np.float32]
    listen_S: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Interrupted:
    """The character's own speech was cut."""


LiveEvent = ChunkReady | SoundHeard | Interrupted


def after(activity: Activity, event: LiveEvent) -> Activity:
    """The activity after an event."""
    match event:
        case ChunkReady():
            return replace(activity, is_warm=True)
        case Interrupted():
            return replace(activity, frames_since_speak=HANGOVER_FRAMES)
        case SoundHeard():
            return replace(
                activity,
                frames_since_speak=_frames_since_voice(activity.frames_since_speak, event.speak_S),
                frames_since_listen=_frames_since_voice(activity.frames_since_listen, event.listen_S),
            )


def _frames_since_voice(frames_before: int, sound_S: NDArray[np.float32]) -> int:
    """Frames since the last with a voice; none is counted further than a pause can be."""
    frames_TS = sound_S.reshape(-1, 1000)
    voiced = np.flatnonzero(np.sqrt(np.mean(frames_TS.astype(np.float64) ** 2, axis=1)) >= VOICE_LEVEL)
    since = len(frames_TS) - 1 - int(voiced[-1]) if len(voiced) else frames_before + len(frames_TS)
    return min(since, HANGOVER_FRAMES)
