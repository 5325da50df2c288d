"""Which split of the work is faster on this machine, measured: stages side by side with a core each, or one by one with all cores.

Called before a long session by the command line and the benchmarks. The answer depends on the processor, on what else runs and on
the pack, so it is not guessed.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from engine.characters import Character
from engine.loaded_pack import LoadedPack
from engine.online.live import LiveConfig
from engine.online.opening import open_session
from engine.shapes import FRAME_RATE_HZ

MEASURED_CHUNKS: Final = 4


@dataclass(frozen=True, kw_only=True)
class SplitChoice:
    """The faster split, and seconds of waiting for each second of film by split."""

    split: str
    seconds_per_second: Mapping[str, float]


def choose_split(character: Character, pack: LoadedPack, config: LiveConfig) -> SplitChoice:
    """Plays a few chunks of a session of its own in either way, as fast as they come."""
    measured = {split: _measure(character, pack, replace(config, split=split)) for split in ("pipeline", "one worker")}
    return SplitChoice(split=min(measured, key=lambda split: measured[split]), seconds_per_second=measured)


def _measure(character: Character, pack: LoadedPack, config: LiveConfig) -> float:
    with open_session(character, pack, config) as session:
        session.pull()
        chunk_frames = session.chunk_frames
        for _ in range(2 * chunk_frames - 1):  # what was begun while nothing was shown, and the first slow runs
            session.pull()
        began_s = time.perf_counter()
        num_frames = MEASURED_CHUNKS * chunk_frames
        for _ in range(num_frames):
            session.pull()
        return (time.perf_counter() - began_s) * FRAME_RATE_HZ / num_frames
