"""DMD holds to the public reference in float64 (1e-12; 1e-6 where its float32 noise table takes part)."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from training.objectives.dmd import (
    DmdConfig,
    DmdGradient,
    critic_loss,
    dmd_gradient,
    dmd_loss,
    draw_timestep,
    guided,
    noised,
    shifted_timestep,
    sigma_of,
    table_index,
)

ORACLE = Path(__file__).parents[4] / "shared" / "oracles" / "dmd_case.safetensors"
CONFIG = DmdConfig()
CASES = {"main": (3.0, 0.0, False), "masked": (3.0, 0.0, True), "fake_cfg": (5.0, 0.5, False)}


@pytest.fixture(scope="module")
def oracle() -> dict[str, Tensor]:
    if not ORACLE.is_file():
        pytest.skip(f"the numeric oracle {ORACLE.name} is not beside this checkout (../shared/oracles)")
    return load_file(ORACLE)


def check_close(got: Tensor, wanted: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(got, wanted, rtol=0, atol=tolerance)


def test_raw_timesteps_become_noise_levels(oracle: dict[str, Tensor]) -> None:
    timestep = shifted_timestep(CONFIG, oracle["timestep_map.raw"])
    check_close(timestep, oracle["timestep_map.shifted_clamped"], 1e-4)
    assert torch.equal(table_index(CONFIG, timestep), oracle["timestep_map.table_index"])
    check_close(sigma_of(CONFIG, timestep), oracle["timestep_map.sigma"], 1e-6)


@pytest.mark.parametrize("case", CASES)
def test_gradient_and_loss(oracle: dict[str, Tensor], case: str) -> None:
    real_scale, fake_scale, is_masked = CASES[case]
    clean = oracle["generator_x0"].clone().requires_grad_()
    real = guided(oracle["real_x0_cond"], oracle["real_x0_uncond"], real_scale)
    fake = guided(oracle["fake_x0_cond"], oracle["fake_x0_uncond"], fake_scale)
    gradient = dmd_gradient(clean, real, fake)
    check_close(gradient.normaliser_B, oracle[f"{case}.normalizer"], 1e-12)
    check_close(gradient.gradient_BFCHW, oracle[f"{case}.grad"], 1e-12)
    check_close(gradient.gradient_BFCHW.abs().mean(), oracle[f"{case}.grad_abs_mean"], 1e-12)
    loss = dmd_loss(clean, gradient, oracle["gradient_mask"].bool() if is_masked else None)
    check_close(loss, oracle[f"{case}.loss"], 1e-12)
    check_close(torch.autograd.grad(loss, clean)[0], oracle[f"{case}.dloss_dx"], 1e-12)
    timestep = shifted_timestep(CONFIG, oracle[f"{case}.raw_timestep"])
    check_close(timestep, oracle[f"{case}.timestep"], 1e-4)
    check_close(noised(CONFIG, clean.detach(), oracle["noise"], timestep), oracle[f"{case}.noisy"], 1e-6)


def test_the_normaliser_can_be_left_out(oracle: dict[str, Tensor]) -> None:
    real = guided(oracle["real_x0_cond"], oracle["real_x0_uncond"], 3.0)
    gradient = dmd_gradient(oracle["generator_x0"], real, oracle["fake_x0_cond"], is_normalised=False)
    check_close(gradient.gradient_BFCHW, oracle["no_normalization.grad"], 1e-12)


def test_the_critics_loss(oracle: dict[str, Tensor]) -> None:
    timestep = shifted_timestep(CONFIG, oracle["critic.raw_timestep"])
    predicted = oracle["fake_x0_cond"].clone().requires_grad_()
    loss = critic_loss(CONFIG, predicted, oracle["generator_x0"], oracle["noise"], timestep)
    check_close(loss, oracle["critic.loss"], 1e-6)
    check_close(torch.autograd.grad(loss, predicted)[0], oracle["critic.dloss_dpred"], 1e-6)


def test_numbers_that_are_not_finite_are_counted_and_move_nothing() -> None:
    clean = torch.zeros(2, 1, 1, 1, 2)
    real = clean.clone()
    real[0, ..., 0], real[1] = torch.nan, 1.0
    gradient = dmd_gradient(clean, real, clean + 2)
    assert gradient.num_not_finite == 2, "a NaN spoils its sample through the normaliser"
    assert gradient.gradient_BFCHW[0].abs().sum() == 0
    assert gradient.gradient_BFCHW[1].tolist() == [[[[1.0, 1.0]]]]


def test_a_step_down_the_loss_moves_towards_the_real_distribution() -> None:
    clean = torch.zeros(1, 2, 1, 1, 1, dtype=torch.float64, requires_grad=True)
    gradient: DmdGradient = dmd_gradient(clean, real_BFCHW=clean.detach() + 1, fake_BFCHW=clean.detach() - 1)
    dmd_loss(clean, gradient).backward()  # type: ignore[no-untyped-call]
    assert clean.grad is not None
    assert (clean.grad < 0).all()


def test_frames_of_a_sample_share_their_timestep() -> None:
    timestep = draw_timestep(CONFIG, 64, 5, torch.Generator().manual_seed(0))
    assert (timestep == timestep[:, :1]).all()
    assert timestep.min() >= 20 and timestep.max() <= 980 and timestep[:, 0].unique().numel() > 20
