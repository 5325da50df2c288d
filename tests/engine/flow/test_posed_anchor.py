"""The preconditioning around an anchor in pose: each latent starts from its own, moved by what history differs from it in its pose."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.flow.noising import clean_from_velocity
from engine.flow.preconditioning import anchor_latents, preconditioning_named
from engine.posing.anchor_picture import AnchorPicture
from engine.references import ReferenceLatents

BATCH, FRAMES, SHAPE_CHW = 2, 4, (3, 2, 2)
SHAPE = (BATCH, FRAMES, *SHAPE_CHW)
PRECONDITION = preconditioning_named("around_reference", (0.5, 1.0, 2.0, 0.3), history_share=0.75)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*(shape or SHAPE), generator=torch.Generator().manual_seed(seed))


def references() -> ReferenceLatents:
    """Whose anchor is an expression in both samples."""
    names = [("global", ""), ("expression", "happy")]
    return ReferenceLatents.of_names(normal(0, 2, *SHAPE_CHW), names, batch=BATCH, anchor=1)


def posed() -> ReferenceLatents:
    return replace(references(), posed_BFCHW=normal(1))


def sigmas(num_history: int, level: float) -> Tensor:
    sigma_BF = torch.full((BATCH, FRAMES), level)
    sigma_BF[:, :num_history] = 0.0
    return sigma_BF


def test_anchors_are_in_pose_where_they_are_posed() -> None:
    own = posed()
    assert own.posed_BFCHW is not None
    assert torch.equal(anchor_latents(own), own.posed_BFCHW)
    assert torch.equal(anchor_latents(references()), references().latents_BRCHW[:, 1:2])


@pytest.mark.parametrize("num_history", [0, 1, 3])
def test_at_full_noise_zero_means_each_latents_own_anchor_and_what_history_differs_from_its(num_history: int) -> None:
    latents_BFCHW, own = normal(2), posed()
    sigma_BF = sigmas(num_history, 1.0)
    velocity_BFCHW = PRECONDITION.velocity(torch.zeros(SHAPE), latents_BFCHW, sigma_BF, own)
    clean_BFCHW = clean_from_velocity(latents_BFCHW, velocity_BFCHW, sigma_BF)
    wanted_BFCHW = anchor_latents(own)
    if num_history:
        last = num_history - 1
        from_anchor_BCHW = latents_BFCHW[:, last] - anchor_latents(own)[:, last]
        wanted_BFCHW = wanted_BFCHW + 0.75 * from_anchor_BCHW[:, None]
    torch.testing.assert_close(clean_BFCHW[:, num_history:], wanted_BFCHW[:, num_history:], rtol=1e-4, atol=1e-5)


def test_samples_may_have_histories_of_different_lengths() -> None:
    latents_BFCHW, own, sigma_BF = normal(2), posed(), torch.ones(BATCH, FRAMES)
    sigma_BF[0, :1], sigma_BF[1, :2] = 0.0, 0.0
    velocity_BFCHW = PRECONDITION.velocity(torch.zeros(SHAPE), latents_BFCHW, sigma_BF, own)
    clean_BFCHW = clean_from_velocity(latents_BFCHW, velocity_BFCHW, sigma_BF)
    for sample, last in ((0, 0), (1, 1)):
        anchors_FCHW = anchor_latents(own)[sample]
        wanted_CHW = anchors_FCHW[-1] + 0.75 * (latents_BFCHW[sample, last] - anchors_FCHW[last])
        torch.testing.assert_close(clean_BFCHW[sample, -1], wanted_CHW, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("num_history", [0, 2])
@pytest.mark.parametrize("level", [0.3, 1.0])
def test_anchors_that_are_all_the_one_at_rest_change_nothing(level: float, num_history: int) -> None:
    latents_BFCHW, sigma_BF = normal(2), sigmas(num_history, level)
    at_rest_BFCHW = references().latents_BRCHW[:, 1:2].expand(SHAPE)
    resting = replace(references(), posed_BFCHW=at_rest_BFCHW)
    seen = [PRECONDITION.network_input(latents_BFCHW, sigma_BF, each) for each in (resting, references())]
    torch.testing.assert_close(*seen)
    meant = [
        PRECONDITION.velocity(normal(3), latents_BFCHW, sigma_BF, each) for each in (resting, references(), posed())
    ]
    torch.testing.assert_close(meant[0], meant[1])
    assert not torch.allclose(meant[0], meant[2], atol=1e-2)


@pytest.mark.parametrize("level", [0.2, 0.7, 1.0])
def test_what_the_network_sees_and_says_leads_back_to_the_truth(level: float) -> None:
    """The best output is a line of what is left of truth and noise: with it the velocity is the path's own."""
    clean_BFCHW, noise_BFCHW, own = normal(2), normal(3), posed()
    sigma_BF = sigmas(1, level)
    sigma_BF111 = sigma_BF[..., None, None, None]
    noisy_BFCHW = (1 - sigma_BF111) * clean_BFCHW + sigma_BF111 * noise_BFCHW
    anchors_BFCHW = anchor_latents(own)
    guess_BFCHW = anchors_BFCHW + 0.75 * (clean_BFCHW - anchors_BFCHW)[:, :1]
    spread_HW = PRECONDITION.residual_std((2, 2))
    scale = ((1 - sigma_BF111).square() * spread_HW.square() + sigma_BF111.square()).sqrt()
    seen_BFCHW = PRECONDITION.network_input(noisy_BFCHW, sigma_BF, own)
    torch.testing.assert_close(seen_BFCHW, (noisy_BFCHW - (1 - sigma_BF111) * guess_BFCHW) / scale)
    left_BFCHW = clean_BFCHW - guess_BFCHW
    output_BFCHW = (sigma_BF111 * left_BFCHW - (1 - sigma_BF111) * spread_HW.square() * noise_BFCHW) / (
        spread_HW * scale
    )
    velocity_BFCHW = PRECONDITION.velocity(output_BFCHW, noisy_BFCHW, sigma_BF, own)
    torch.testing.assert_close(velocity_BFCHW[:, 1:], (noise_BFCHW - clean_BFCHW)[:, 1:], rtol=1e-3, atol=1e-4)


def test_branches_of_guidance_keep_picture_and_poses() -> None:
    picture = AnchorPicture(pixels_BCHW=normal(4, BATCH, 3, 8, 8), row_BM=normal(5, BATCH, 6))
    own = replace(posed(), anchor_picture=picture)
    repeated = own.repeated(3)
    assert repeated.posed_BFCHW is not None and repeated.anchor_picture is not None
    assert own.posed_BFCHW is not None
    assert torch.equal(repeated.posed_BFCHW, torch.cat([own.posed_BFCHW] * 3))
    assert torch.equal(repeated.anchor_picture.pixels_BCHW, torch.cat([picture.pixels_BCHW] * 3))
    assert torch.equal(repeated.anchor_picture.row_BM, torch.cat([picture.row_BM] * 3))
    plain = references().repeated(3)
    assert plain.posed_BFCHW is None and plain.anchor_picture is None
