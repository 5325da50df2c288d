"""Films as a pack draws them when it is told what the actor did: what its pictures are retouched from, and what they should have been.

A plan that comes from a model may be any; told the actor's own motion, the one right film is known. The pack performs as it does for
anybody (`engine.base.performer`), window behind window of its own, and its latents are taken. Called where cuts for retouching are made.
"""

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from engine.base.job import PerformJob, PromptSpan
from engine.base.performer import Performer
from engine.flow.guidance import GuidanceScales
from engine.loaded_pack import LoadedPack
from engine.motion.plan import MotionModel, MotionTold
from engine.motion.planner import MotionPlanner
from engine.posing.anchor_picture import AnchorPicture
from training.actor.as_character import character_of
from training.actor.directions import DirectedSpan, each_by_itself, sample_spans
from training.actor.performance import perform_clip
from training.data.clips import clip_identity, clip_kind
from training.data.motion_rows import motion_rows
from training.data.performances import voice_pool

DRAWN_SEEDS: Final = 700_000  # apart from those of clips and performances


class ToldPlanner(MotionPlanner):
    """A planner that has nothing left to plan: its rows [1, F, M] are given."""

    def __init__(self, motion: MotionModel, rows_BFM: Tensor) -> None:
        super().__init__(motion, slack_rows=rows_BFM.shape[1])
        self._rows_BFM = rows_BFM

    def plan(self, told: MotionTold, noise_BFM: Tensor, guidance: GuidanceScales | None = None) -> None:
        """The next of the rows, as many as there is noise for."""
        del told, guidance
        self.take(self._rows_BFM[:, self.length : self.length + noise_BFM.shape[1]])


def drawn_film(pack: LoadedPack, number: int, num_frames: int) -> dict[str, Tensor]:
    """Film `number`: `latents_FCHW` as drawn, `state_TK`, and the pictures `anchors_AHWC` that its latents stayed near, each
    one, with the rows `anchor_rows_AM` that they show.

    `number` is that of the character too (`training.data.clips.clip_identity`).
    """
    seed = DRAWN_SEEDS + number
    rng = np.random.default_rng([seed, 80])
    kind = clip_kind(rng)
    performance = perform_clip(
        seed, num_frames, kind, voice_pool(), told=_all_told(sample_spans(rng, num_frames, kind))
    )
    state_TK = torch.from_numpy(performance.state_TK)
    job = PerformJob(
        character=character_of(clip_identity(seed), pack.film_px),
        num_frames=num_frames,
        speak_S=performance.speak_S,
        listen_S=performance.listen_S,
        prompts=tuple(
            PromptSpan(start_frame=span.start_frame, end_frame=span.end_frame, text=span.text)
            for span in performance.captions
        ),
        seed=seed,
    )
    performer = Performer(pack, job, pack.base, should_stop=lambda: False, keep=None, reuse=None)
    assert pack.motion is not None, "a pack without a plan of motion cannot be told one"
    as_done = replace(pack.motion.settings, drawn_share=())  # no more of it and no less
    performer.planner = ToldPlanner(replace(pack.motion, settings=as_done), motion_rows(state_TK)[None])
    latents, anchors, anchor_of_latent_F = [], Anchors(), []
    for window in performer.windows():
        anchor = performer.conditions.references.latents(window.text).anchor_picture
        assert anchor is not None, "a pack that poses its anchor has its picture"
        latents.append(window.final_FCHW)
        anchor_of_latent_F += [anchors.place_of(anchor)] * len(window.final_FCHW)
    return {
        "number": torch.tensor(seed),
        "state_TK": state_TK,
        "latents_FCHW": torch.cat(latents).half(),
        "anchor_of_latent_F": torch.tensor(anchor_of_latent_F),
        "anchors_AHWC": anchors.pictures_AHWC(),
        "anchor_rows_AM": anchors.rows_AM(),
    }


def _all_told(spans: tuple[DirectedSpan, ...]) -> tuple[DirectedSpan, ...]:
    """Each moment under a caption that tells its feeling: a pack shares a caption's frames evenly, and nobody plans what is not told."""
    return tuple(
        replace(span, moments=tuple(replace(moment, is_expression_told=True) for moment in span.moments))
        for span in each_by_itself(spans)
    )


class Anchors:
    """The different pictures that a film stays near."""

    def __init__(self) -> None:
        self._pictures: list[AnchorPicture] = []

    def place_of(self, picture: AnchorPicture) -> int:
        """The place of one of them among all; it is put behind the others where it is new."""
        for place, known in enumerate(self._pictures):
            if torch.equal(known.pixels_BCHW, picture.pixels_BCHW):
                return place
        self._pictures.append(picture)
        return len(self._pictures) - 1

    def rows_AM(self) -> Tensor:
        """What each of them shows."""
        return torch.cat([picture.row_BM for picture in self._pictures])

    def pictures_AHWC(self) -> Tensor:
        """All of them, as bytes."""
        pictures = torch.cat([picture.pixels_BCHW for picture in self._pictures])
        pictures = rearrange((pictures.clamp(-1, 1) + 1) * 127.5, "a c h w -> a h w c")
        return pictures.round().to(torch.uint8).contiguous()
