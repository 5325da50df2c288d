"""The deblocking filter in time: noise at borders is spread, motion and large steps stay, and cuts do not matter."""

import pytest
import torch
from torch import Tensor

from engine.codec.border_smoothing import TINT_SHARE, smooth_borders

LIMIT = 0.1


def film(*values: float) -> Tensor:
    """Plain pictures, one grey each."""
    return torch.tensor(values)[None, :, None, None, None].expand(1, -1, 3, 6, 8).contiguous()


def greys(pixels_BTCHW: Tensor) -> Tensor:
    """The grey of each picture."""
    return pixels_BTCHW[0, :, 0, 3, 4]


def test_a_small_step_is_spread_evenly_over_the_later_latent() -> None:
    smoothed = greys(smooth_borders(film(*[0.0] * 4, *[0.008] * 4), None, 4, LIMIT))
    assert torch.allclose(smoothed, torch.tensor([0.0] * 4 + [0.002, 0.004, 0.006, 0.008]), atol=5e-5)


@pytest.mark.parametrize("step", [0.02, 0.1, 0.5, 2.0])
def test_less_is_spread_the_further_a_step_goes_beyond_the_limit(step: float) -> None:
    smoothed = greys(smooth_borders(film(*[-1.0] * 4, *[step - 1.0] * 4), None, 4, LIMIT))
    local = step / (1 + (step / LIMIT) ** 2)
    tint = (step - local) / (1 + ((step - local) / (TINT_SHARE * LIMIT)) ** 2)
    spread = 0.75 * (local + tint)
    assert smoothed[4] == pytest.approx(step - 1.0 - spread, abs=1e-5)
    assert spread < 0.4 * LIMIT
    assert smoothed[7] == step - 1.0


def test_steady_motion_is_no_step() -> None:
    moving = torch.linspace(-0.9, 0.9, 12)
    assert torch.allclose(greys(smooth_borders(film(*moving.tolist()), None, 4, LIMIT)), moving, atol=1e-6)


def test_steps_are_judged_place_by_place() -> None:
    """A mouth that opens does not keep the noise beside it."""
    pixels = film(*[0.0] * 4, *[0.008] * 4)
    pixels[:, 4:, :, :, 6:] = 1.0
    smoothed = smooth_borders(pixels, None, 4, LIMIT)
    assert smoothed[0, 4, 0, 3, 0] == pytest.approx(0.002, abs=1e-3)
    assert smoothed[0, 4, 0, 3, 7] > 0.9


def test_a_faint_tint_does_not_step_even_where_everything_moves() -> None:
    """Pixels that move too far to be judged hide a step of the mean colour, which is spread all the same."""
    noise = torch.randint(0, 2, (1, 8, 3, 24, 24), generator=torch.Generator().manual_seed(0)) * 1.0 - 0.5
    noise = noise - noise.mean(dim=(3, 4), keepdim=True)
    tinted = noise.clone()
    tinted[:, 4:] += 0.004
    smoothed = smooth_borders(tinted, None, 4, LIMIT)
    means = smoothed.mean(dim=(2, 3, 4))[0]
    assert float(means[4] - means[3]) == pytest.approx(0.001, abs=5e-4)
    assert float(means[7] - means[3]) == pytest.approx(0.004, abs=1e-5)


@pytest.mark.parametrize("cuts", [(1, 1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("frames_per_latent", [2, 4])
def test_any_cut_of_a_film_gives_the_same_bits(cuts: tuple[int, ...], frames_per_latent: int) -> None:
    pixels = torch.rand(2, 3 * frames_per_latent, 3, 9, 7, generator=torch.Generator().manual_seed(0))
    whole = smooth_borders(pixels, None, frames_per_latent, LIMIT)
    before, parts = None, []
    for part in torch.split(pixels, [latents * frames_per_latent for latents in cuts], dim=1):
        parts.append(smooth_borders(part, before, frames_per_latent, LIMIT))
        before = part[:, -2:]
    assert torch.equal(torch.cat(parts, dim=1), whole)
    assert torch.equal(whole[:, :frames_per_latent], pixels[:, :frames_per_latent])
    last = slice(frames_per_latent - 1, None, frames_per_latent)
    assert torch.equal(whole[:, last], pixels[:, last])
    assert not torch.allclose(whole, pixels, atol=1e-3)
