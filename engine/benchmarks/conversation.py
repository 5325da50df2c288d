"""A conversation that is the same every minute, so that minute 60 of a session can be held against minute 1.

The partner talks, the character answers, then it waits; at the minute's end it waits under one and the same direction while pictures
of it are kept: the probe. Called by the benchmarks of live sessions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.pictures import write_picture
from engine.online.live import LiveFrame
from engine.online.session import LiveSession
from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ

MINUTE_FRAMES: Final = 60 * FRAME_RATE_HZ
LISTEN_AT_S: Final = 0
SPEAK_AT_S: Final = 20
PROBE_PROMPT_AT_S: Final = 44
PROBE_FROM_S: Final = 54
PROBE_PROMPT: Final = "waits, looks at the viewer"
_LONGEST_S: Final = 18
_PICTURE_EACH_FRAMES: Final = 2 * FRAME_RATE_HZ
_PROBE_EACH_FRAMES: Final = FRAME_RATE_HZ // 2


@dataclass(frozen=True, kw_only=True)
class Voices:
    """What the partner and the character say, mono at 24 kHz; only the first seconds of each are used."""

    listen_S: NDArray[np.float32]
    speak_S: NDArray[np.float32]

    @classmethod
    def noise(cls) -> "Voices":
        """Noise for a voice on either side, where nothing that speaks is at hand."""
        sound_S = 0.1 * np.random.default_rng(0).standard_normal(_LONGEST_S * SOUND_RATE_HZ).astype(np.float32)
        return cls(listen_S=sound_S, speak_S=sound_S[::-1].copy())


def push_what_is_due(session: LiveSession, voices: Voices, frame: int) -> None:
    """What happens at this frame of the conversation, before the frame is pulled."""
    place = frame % MINUTE_FRAMES
    most = _LONGEST_S * SOUND_RATE_HZ
    if place == LISTEN_AT_S * FRAME_RATE_HZ:
        session.set_prompt("")
        session.push_listen(voices.listen_S[:most])
    elif place == SPEAK_AT_S * FRAME_RATE_HZ:
        session.push_speak(voices.speak_S[:most])
    elif place == PROBE_PROMPT_AT_S * FRAME_RATE_HZ:
        session.set_prompt(PROBE_PROMPT)


def is_probe(frame: int) -> bool:
    """Whether the character waits under the probe's direction here."""
    return frame % MINUTE_FRAMES >= PROBE_FROM_S * FRAME_RATE_HZ


def picture_name(frame: int) -> str:
    """The name of a kept picture; names sort by frame."""
    return f"{frame:08d}{'-probe' if is_probe(frame) else ''}.png"


def frame_of(name: str) -> int:
    """The frame that a kept picture shows."""
    return int(name[:8])


def keep_pictures(folder: Path) -> Callable[[LiveFrame], None]:
    """Keeps a picture each two seconds and two a second of the probe as PNG files in a folder: on disk, not in memory."""

    def keep(frame: LiveFrame) -> None:
        each = _PROBE_EACH_FRAMES if is_probe(frame.index) else _PICTURE_EACH_FRAMES
        if frame.index % each == 0:
            write_picture(folder / picture_name(frame.index), frame.picture_HWC)

    return keep
