"""What live sessions on small packs are opened with, and the frames that they are asked for."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.loaded_pack import LoadedPack
from engine.online.live import LiveConfig, LiveFrame
from engine.online.lookahead import LookaheadConfig
from engine.online.session import LiveSession

CHUNK = 12
CONFIG = LiveConfig(  # never far ahead, also where others use the machine and chunks take long
    split="caller", state_prompts={}, lookahead=LookaheadConfig(most_frames=CHUNK)
)
NODDING = replace(CONFIG, prompt="nods", seed=3)
VOICE = 0.3 * np.random.default_rng(0).standard_normal(96_000).astype(np.float32)


def in_short_windows(pack: LoadedPack) -> LoadedPack:
    """The pack, whose base model performs little at a time."""
    return replace(pack, base=replace(pack.base, window_latents=4, history_latents=1, overlap_latents=0))


def pull(session: LiveSession, count: int) -> list[LiveFrame]:
    frames = [session.pull(timeout_s=60.0) for _ in range(count)]
    return [frame for frame in frames if frame is not None]


def pictures(frames: list[LiveFrame]) -> NDArray[np.uint8]:
    return np.stack([frame.picture_HWC for frame in frames])
