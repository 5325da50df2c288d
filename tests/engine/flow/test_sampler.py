"""Every solver against a field whose solution is known, and DPM++ against diffusers' where that is installed."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from engine.base.settings import BaseSettings
from engine.flow.sampler import SOLVER_NAMES, sampler_named
from engine.flow.schedule import dpmpp_schedule
from engine.flow.solver import DpmPlusPlusSolver

SPREAD = 0.6
MEAN = 0.3


def _gaussian_velocity(latents: Tensor, timestep: float) -> Tensor:
    """The exact velocity where clean latents are N(MEAN, SPREAD^2): E[noise - x_0 | x_s]."""
    sigma = timestep / 1000
    variance = ((1 - sigma) * SPREAD) ** 2 + sigma**2
    deviation = latents - (1 - sigma) * MEAN
    return (sigma - (1 - sigma) * SPREAD**2) / variance * deviation - MEAN


def _exact_end(start: Tensor, sigma: float) -> Tensor:
    """Where that field carries a latent from noise level sigma to 0: it keeps its quantile."""
    return MEAN + SPREAD * (start - (1 - sigma) * MEAN) / math.hypot((1 - sigma) * SPREAD, sigma)


def _error(name: str, num_steps: int) -> float:
    """Timesteps that are cut to integers would be the whole error of a fine run, so the field is asked at the exact ones."""
    sampler = sampler_named(name, num_steps, shift=1.0)
    exact = dict(zip(sampler.schedule.timesteps, sampler.schedule.sigmas, strict=False))
    start = torch.linspace(-2, 2, 9, dtype=torch.float64)
    end = sampler.run(start, lambda latents, timestep: _gaussian_velocity(latents, exact[timestep] * 1000))
    return (end - _exact_end(start, sampler.schedule.sigmas[0])).abs().max().item()


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("unipc", 2), ("dpmpp", 2)])
def test_halving_the_steps_divides_the_error_by_the_order_s_power(name: str, order: int) -> None:
    errors = [_error(name, num_steps) for num_steps in (80, 160, 320)]
    rates = [math.log2(coarse / fine) for coarse, fine in itertools.pairwise(errors)]
    assert rates == pytest.approx([order] * 2, abs=0.25)


def test_solvers_of_second_order_are_worth_it() -> None:
    assert _error("dpmpp", 12) < 0.5 * _error("euler", 12)
    assert _error("unipc", 12) < 0.5 * _error("euler", 12)


@pytest.mark.parametrize("num_steps", [1, 2, 7, 20])
def test_a_straight_path_is_followed_exactly_from_pure_noise(num_steps: int) -> None:
    clean, noise = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    sampler = sampler_named("dpmpp", num_steps, shift=5.0)
    for _ in range(2):
        torch.testing.assert_close(sampler.run(noise, lambda latents, timestep: noise - clean), clean)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside diffusers
@pytest.mark.parametrize(("num_steps", "shift"), [(6, 1.0), (20, 3.0), (40, 5.0)])
def test_dpmpp_is_diffusers(num_steps: int, shift: float) -> None:
    """Step by step on the same noise levels and a field that is not linear; theirs computes its weights in float32."""
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    theirs = diffusers.DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift, solver_order=2
    )
    theirs.set_timesteps(num_steps)
    ours, schedule = DpmPlusPlusSolver(), dpmpp_schedule(num_steps, shift)
    theirs.sigmas = torch.tensor(schedule.sigmas, dtype=torch.float32)
    latents = other = torch.linspace(-2, 2, 9, dtype=torch.float64)
    for index, timestep in enumerate(theirs.timesteps):
        sigma = schedule.sigmas[index]
        latents = ours.step(schedule, index, latents, torch.sin(2 * latents) + sigma)
        other = theirs.step(torch.sin(2 * other) + sigma, timestep, other).prev_sample
        assert (latents - other).abs().max() < 1e-5, index


@pytest.mark.parametrize("name", SOLVER_NAMES)
def test_shift_spends_more_steps_on_noise(name: str) -> None:
    plain, shifted = (sampler_named(name, 10, shift).schedule for shift in (1.0, 5.0))
    assert plain.sigmas[-1] == shifted.sigmas[-1] == 0
    assert all(low < high for low, high in zip(plain.sigmas[1:-1], shifted.sigmas[1:-1], strict=True))


def test_solvers_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="known: euler, unipc, dpmpp"):
        sampler_named("heun", 4, 1.0)
    with pytest.raises(ValueError, match="no solver 'heun'"):
        BaseSettings(solver="heun")
    with pytest.raises(ValueError, match="at least one step"):
        sampler_named("dpmpp", 0, 1.0)
