"""Windows with their anchors in pose: each latent its own, at rest where nothing was planned, of a batch the one that each stays near."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.flow.preconditioning import anchor_latents
from tests.training.tasks.small_base import NUM_CLIPS, NUM_LATENTS, clips_of_noise
from training.actor.state import EXPRESSION_CHANNELS, channel
from training.data.windows import ClipFeatures, WindowConfig, WindowPlace, cut_window, window_batches
from training.parallel import World
from training.recipes.tiny import features_slice
from training.tasks.base_model import references_of

KEPT = WindowConfig(motion_drop_share=0.0, own_history_share=0.0)
EXPRESSED = 1000.0  # of the second anchor's numbers


@pytest.fixture
def features() -> ClipFeatures:
    """Clips of noise whose posed anchors tell their place: latent f is f + 1, of the expression's anchor EXPRESSED more."""
    plain = clips_of_noise()
    latent_CHW = plain.clips["references_RCHW"].shape[2:]
    posed_AF = torch.tensor([[0.0], [EXPRESSED]]) + torch.arange(1.0, NUM_LATENTS + 1)
    posed_NAFCHW = posed_AF[None, :, :, None, None, None].expand(NUM_CLIPS, -1, -1, *latent_CHW).half()
    return replace(plain, posed_NAFCHW=posed_NAFCHW)


def sad(features: ClipFeatures) -> ClipFeatures:
    """Clips that show an expression that they have a picture of: their third reference."""
    states_NTK = features.clips["state_TK"].clone()
    states_NTK[..., [channel(name) for name in EXPRESSION_CHANNELS]] = 0.0
    states_NTK[..., channel("expression_sad")] = 1.0
    return replace(features, clips={**features.clips, "state_TK": states_NTK})


def at_rest(features: ClipFeatures, clip: int, place: int) -> Tensor:
    return features.clips["references_RCHW"][clip, place].float()


def test_each_latent_has_its_own(features: ClipFeatures) -> None:
    window = cut_window(features, KEPT, 3, WindowPlace(clip=1, start=5))
    assert window["posed_AFCHW"].shape == (2, 4, *window["latents_FCHW"].shape[1:])
    assert window["posed_AFCHW"][0, :, 0, 0, 0].tolist() == [6.0, 7.0, 8.0, 9.0]
    assert torch.equal(window["posed_AFCHW"][1], window["posed_AFCHW"][0] + EXPRESSED)
    assert "posed_AFCHW" not in cut_window(clips_of_noise(), KEPT, 3, WindowPlace(clip=1, start=5))


def test_the_first_picture_that_a_film_begins_with_is_an_anchor_of_its_own(features: ClipFeatures) -> None:
    window = cut_window(sad(features), KEPT, 3, WindowPlace(clip=1, start=0))
    for anchor in range(2):
        assert torch.equal(window["posed_AFCHW"][anchor, 0], features.clips["first_CHW"][1].float())
    assert window["posed_AFCHW"][0, 1:, 0, 0, 0].tolist() == [2.0, 3.0, 4.0]
    assert not window["motion_FM"][0].any()


def test_a_portrait_is_at_rest_and_what_follows_is_posed(features: ClipFeatures) -> None:
    config = replace(KEPT, portrait_share=1.0)
    window = cut_window(features, config, 3, WindowPlace(clip=2, start=5))
    assert torch.equal(window["latents_FCHW"][0], at_rest(features, 2, 0))
    assert torch.equal(window["posed_AFCHW"][0, 0], at_rest(features, 2, 0))
    assert window["posed_AFCHW"][0, 1:, 0, 0, 0].tolist() == [7.0, 8.0, 9.0]


def test_where_no_motion_is_told_nothing_is_posed(features: ClipFeatures) -> None:
    """As a poser does of rows of zeros."""
    config = replace(KEPT, motion_drop_share=1.0)
    window = cut_window(sad(features), config, 3, WindowPlace(clip=1, start=5))
    assert not window["motion_FM"].any()
    for anchor, place in ((0, 0), (1, 2)):
        wanted_CHW = at_rest(features, 1, place)
        assert all(torch.equal(latent_CHW, wanted_CHW) for latent_CHW in window["posed_AFCHW"][anchor])


@pytest.mark.parametrize(("has_extra", "is_sad", "anchor"), [(1.0, True, 1), (1.0, False, 0), (0.0, True, 0)])
def test_of_a_batch_each_sample_has_the_anchor_that_it_stays_near(
    features: ClipFeatures, has_extra: float, is_sad: bool, anchor: int
) -> None:
    states_NTK = features.clips["state_TK"].clone()
    states_NTK[..., [channel(name) for name in EXPRESSION_CHANNELS]] = 0.0
    calm = replace(features, clips={**features.clips, "state_TK": states_NTK})
    config = replace(KEPT, extra_references_share=has_extra, altered_share=0.0)
    batch = next(window_batches(sad(features) if is_sad else calm, config, 0, 6, World(rank=0, size=1)))
    references = references_of(batch)
    assert references.anchor_B is not None and references.anchor_B.tolist() == [anchor] * 6
    assert torch.equal(anchor_latents(references), batch["posed_AFCHW"][:, anchor])
    assert (anchor_latents(references)[:, 1:].mean(dim=(1, 2, 3, 4)) > EXPRESSED).all() == bool(anchor)
    del batch["posed_AFCHW"]
    assert references_of(batch).posed_BFCHW is None


def test_samples_of_one_batch_may_stay_near_different_anchors(features: ClipFeatures) -> None:
    config = replace(KEPT, extra_references_share=1.0, altered_share=0.0)
    batch = next(window_batches(sad(features), config, 0, 4, World(rank=0, size=1)))
    batch["anchor"] = torch.tensor([0, 1, 1, 0])
    posed_BFCHW = anchor_latents(references_of(batch))
    for sample, anchor in enumerate((0, 1, 1, 0)):
        assert torch.equal(posed_BFCHW[sample], batch["posed_AFCHW"][sample, anchor])


def test_a_part_of_the_clips_has_its_own_anchors(features: ClipFeatures) -> None:
    assert features.posed_NAFCHW is not None
    counted = features.posed_NAFCHW + torch.arange(float(NUM_CLIPS))[:, None, None, None, None, None].half()
    part = features_slice(replace(features, posed_NAFCHW=counted), slice(2, None))
    assert part.posed_NAFCHW is not None
    assert torch.equal(part.posed_NAFCHW, counted[2:])
    assert features_slice(clips_of_noise(), slice(2, None)).posed_NAFCHW is None
