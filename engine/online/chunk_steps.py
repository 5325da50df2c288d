"""The steps of a chunk, in order: encode, plan, draft, refine, pose its latents, and decode them one after another (paper 5.2).

Called by a session's pipeline, which asks between steps whether the chunk is still wanted, and by benchmarks that make a chunk anew.
A latent's pictures can be shown while the next ones are decoded. They must not know clocks, nor when a chunk begins.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.online.conditions import ChunkConditions
from engine.online.conductor import ChunkJob
from engine.online.generator import ChunkGenerator
from engine.online.stages import ConditionEncoder, StreamingDecoder
from engine.posing.retoucher import MovedFilm, Retoucher


@dataclass(frozen=True, kw_only=True)
class SessionStages:
    """The models' side of a session. `retoucher` moves what the decoder retouches by; None where the pack retouches nothing."""

    encoder: ConditionEncoder
    generator: ChunkGenerator
    decoder: StreamingDecoder
    device: torch.device
    retoucher: Retoucher | None = None


@dataclass(kw_only=True)
class ChunkWork:
    """A chunk on its way. The draft is kept to its end: on a graphics card what a worker lets go of may be filled anew at once.

    `moved` is what each latent is retouched by, as far as it is there; nothing where nothing was planned. `pictures_THWC` are those of the
    latent that was decoded last, until somebody takes them.
    """

    job: ChunkJob
    told: ChunkConditions | None = None
    draft_BFCHW: Tensor | None = None
    latents_BFCHW: Tensor | None = None
    moved: list[MovedFilm] = field(default_factory=list)
    num_decoded: int = 0
    pictures_THWC: NDArray[np.uint8] | None = None


ChunkStep = Callable[[ChunkWork], ChunkWork]


def chunk_steps(stages: SessionStages, chunk_latents: int) -> list[tuple[str, ChunkStep]]:
    """The steps of a chunk of so many latents, each under the name of its stage.

    A stage's steps follow each other: a chunk that came back to a worker would find the next one before it.
    """
    steps: list[tuple[str, ChunkStep]] = [("encode", partial(_encode, stages))]
    if stages.generator.has_plan:
        steps.append(("plan", partial(_plan, stages)))
    steps.append(("generator", partial(_draft, stages)))
    if stages.generator.has_refiner:
        steps.append(("refiner", partial(_refine, stages)))
    if stages.retoucher is not None:
        steps += [("posing", partial(_pose, stages.retoucher))] * chunk_latents
    return steps + [("vae", partial(_decode, stages))] * chunk_latents


def _encode(stages: SessionStages, work: ChunkWork) -> ChunkWork:
    work.told = stages.encoder.encode(work.job.told)
    return work


def _plan(stages: SessionStages, work: ChunkWork) -> ChunkWork:
    assert work.told is not None
    work.told = stages.generator.plan(work.job.first_latent, work.told)
    return work


def _draft(stages: SessionStages, work: ChunkWork) -> ChunkWork:
    assert work.told is not None
    work.draft_BFCHW = work.latents_BFCHW = stages.generator.draft(work.job.first_latent, work.told)
    return work


def _refine(stages: SessionStages, work: ChunkWork) -> ChunkWork:
    assert work.told is not None and work.draft_BFCHW is not None
    work.latents_BFCHW = stages.generator.refine(work.job.first_latent, work.draft_BFCHW, work.told)
    return work


def _pose(retoucher: Retoucher, work: ChunkWork) -> ChunkWork:
    assert work.told is not None
    if work.told.pose is not None:
        pose = work.told.pose.at(len(work.moved))
        work.moved.append(retoucher.moved_softly(pose) if work.job.told.is_soft else retoucher.moved(pose))
    return work


def _decode(stages: SessionStages, work: ChunkWork) -> ChunkWork:
    assert work.latents_BFCHW is not None
    latent, work.num_decoded = work.num_decoded, work.num_decoded + 1
    moved = work.moved[latent] if work.moved else None
    latents_BFCHW = work.latents_BFCHW[:, latent : latent + 1]
    work.pictures_THWC = stages.decoder.decode(work.job.first_latent + latent, latents_BFCHW, moved)
    return work
