"""What a recorded session would have shown without a change, and from which frame on it shows something else.

Chunks are made once more from what they were told, first without the change and then, gone back to the same history, with it. The second
must give the very pictures that were played; that is counted.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from engine.benchmarks.reaction import Recording, Shown
from engine.online.chunk_steps import ChunkWork, SessionStages, chunk_steps
from engine.online.conductor import ChunkJob
from engine.online.figures import percentile
from engine.online.live import LiveConfig, suggested_text
from engine.online.stages import ChunkTold
from engine.online.states import LiveState
from engine.precision import fast_autocast

CHANGED_LEVELS: Final = 1.0
"""A frame has changed where the mean over some 1/16 by 1/16 of it differs by so many of 255 levels from the twin's."""

CLEAR_LEVELS: Final = 8.0
"""From here on a person who looks sees it."""

_WATCHED_S: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """Seconds from a change to the first changed frame as it was played; infinite where none was seen within two seconds.

    in_first_chunk: whether the first chunk that began after the change already shows it.
    """

    changed_s: float
    clear_s: float
    in_first_chunk: bool


@dataclass(frozen=True, kw_only=True)
class Reactions:
    """Of one kind of change."""

    reactions: tuple[Reaction, ...]
    exact_share: float

    def as_table(self) -> dict[str, Any]:
        """For a report."""
        changed, clear = ([getattr(one, name) for one in self.reactions] for name in ("changed_s", "clear_s"))
        return {
            "moments": len(self.reactions),
            "changed_p50_s": _finite(percentile(changed, 0.5)),
            "changed_p95_s": _finite(percentile(changed, 0.95)),
            "clear_p50_s": _finite(percentile(clear, 0.5)),
            "clear_p95_s": _finite(percentile(clear, 0.95)),
            "never_clear": sum(math.isinf(value) for value in clear),
            "in_first_chunk": round(float(np.mean([one.in_first_chunk for one in self.reactions])), 3),
            "pictures_made_again_exactly": round(self.exact_share, 4),
        }


def reactions_of(recording: Recording, stages: SessionStages, config: LiveConfig) -> Reactions:
    """Each change of a recording against its twin; `stages` are fresh ones of the same session, opened with `config`."""
    shown_by_chunk: dict[int, list[Shown]] = {}
    for one in recording.shown:
        if not one.is_repeat:
            shown_by_chunk.setdefault(one.chunk, []).append(one)
    reactions, exact = [], []
    jobs, done = recording.jobs, 0

    def make(job: ChunkJob, told: ChunkTold) -> NDArray[np.uint8]:
        return _make(stages, job, told)

    for change_s in sorted(recording.changes_s):
        first = next((place for place in range(done, len(jobs)) if jobs[place].began_s >= change_s), len(jobs))
        end = next(
            (place for place in range(first, len(jobs)) if jobs[place].began_s > change_s + _WATCHED_S), len(jobs)
        )
        exact += [_exact(job, make(job, job.told), shown_by_chunk) for job in jobs[done:first]]
        without = [make(job, _without(job, recording.kind, config)) for job in jobs[first:end]]
        having = [make(job, job.told) for job in jobs[first:end]]
        exact += [_exact(job, frames, shown_by_chunk) for job, frames in zip(jobs[first:end], having, strict=True)]
        reactions.append(_reaction(change_s, jobs[first:end], having, without, shown_by_chunk))
        done = end
    compared = sum(count for count, _ in exact)
    return Reactions(
        reactions=tuple(reactions), exact_share=sum(same for _, same in exact) / compared if compared else float("nan")
    )


def _make(stages: SessionStages, job: ChunkJob, told: ChunkTold) -> NDArray[np.uint8]:
    """A chunk's pictures; each stage goes back to its first latent by itself."""
    work = ChunkWork(job=replace(job, told=told))
    pictures_THWC = []
    with torch.no_grad(), fast_autocast(stages.device):
        for _, step in chunk_steps(stages, told.num_latents):
            work = step(work)
            if work.pictures_THWC is not None:
                pictures_THWC.append(work.pictures_THWC)
                work.pictures_THWC = None
    return np.concatenate(pictures_THWC)


def _without(job: ChunkJob, kind: str, config: LiveConfig) -> ChunkTold:
    """The same as if the change had not come: nothing else was heard, said or directed, and the character waits."""
    text = config.prompt or suggested_text(config, LiveState.IDLE, job.first_frame)
    match kind:
        case "listen":
            return replace(job.told, listen_S=np.zeros_like(job.told.listen_S), text=text)
        case "speak":
            return replace(job.told, speak_S=np.zeros_like(job.told.speak_S), text=text)
        case "prompt":
            return replace(job.told, text=text)
    raise ValueError(f"there is no change of kind {kind!r}")


def _exact(job: ChunkJob, frames_THWC: NDArray[np.uint8], shown: dict[int, list[Shown]]) -> tuple[int, int]:
    """How many frames of a chunk were played, and how many of them are these."""
    played = shown.get(job.number, [])
    same = [zlib.crc32(frames_THWC[one.index - job.first_frame].data) == one.checksum for one in played]
    return len(same), sum(same)


def _reaction(
    change_s: float,
    jobs: Sequence[ChunkJob],
    having: Sequence[NDArray[np.uint8]],
    without: Sequence[NDArray[np.uint8]],
    shown: dict[int, list[Shown]],
) -> Reaction:
    seen: list[tuple[float, float, int]] = []  # when, by how much, in which chunk since the change
    for place, (job, with_THWC, without_THWC) in enumerate(zip(jobs, having, without, strict=True)):
        for one in shown.get(job.number, []):
            offset = one.index - job.first_frame
            seen.append((one.at_s, change_in(with_THWC[offset], without_THWC[offset]), place))
    first_chunk = min((place for _, _, place in seen), default=-1)

    def since(levels: float) -> float:
        return min((at_s - change_s for at_s, change, _ in seen if change >= levels), default=math.inf)

    return Reaction(
        changed_s=since(CHANGED_LEVELS),
        clear_s=since(CLEAR_LEVELS),
        in_first_chunk=any(change >= CHANGED_LEVELS for _, change, place in seen if place == first_chunk),
    )


def change_in(first_HWC: NDArray[np.uint8], second_HWC: NDArray[np.uint8]) -> float:
    """The largest mean difference of a sixteenth by sixteenth of two pictures, in levels of 255."""
    difference_HWC = cv2.absdiff(first_HWC, second_HWC).astype(np.float32)
    blocks_HWC = cv2.resize(difference_HWC, (16, 16), interpolation=cv2.INTER_AREA)
    return float(blocks_HWC.mean(axis=2).max())


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
