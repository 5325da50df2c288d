"""Properties of noising, preconditioning, guidance and the solvers."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.flow.guidance import GuidanceScales, guide
from engine.flow.noising import SigmaSampling, add_noise, clean_from_velocity, sample_sigma, velocity_target
from engine.flow.preconditioning import AroundReference, global_latent, preconditioning_named
from engine.flow.schedule import euler_schedule, unipc_schedule
from engine.flow.solver import EulerSolver, Solver, UniPCSolver, solve
from engine.model.transformer import DitInputs
from engine.references import ReferenceLatents, reference_ids

SHAPE = (2, 3, 4, 2, 2)


def _references() -> ReferenceLatents:
    return ReferenceLatents.of_names(torch.randn(2, 4, 2, 2), (("view", "left"), ("global", "")), batch=2)


def _inputs() -> DitInputs:
    return DitInputs(
        latents_BFCHW=torch.randn(SHAPE),
        timestep_BF=torch.rand(2, 3) * 1000,
        references=_references(),
        text_BSD=torch.rand(2, 5, 1) + 1,
        speak_BAD=torch.rand(2, 12, 1) + 1,
        listen_BAD=torch.rand(2, 6, 1) + 1,
    )


def _additive_model(inputs: DitInputs) -> Tensor:
    """Text counts 1, speech 10 and the partner 100, wherever they are not left out; the latents pass through."""
    told = sum(
        size * (rows.abs().amax(dim=(1, 2)) > 0)
        for size, rows in ((1, inputs.text_BSD), (10, inputs.speak_BAD), (100, inputs.listen_BAD))
    )
    assert isinstance(told, Tensor)
    return inputs.latents_BFCHW + told[:, None, None, None, None]


@pytest.mark.parametrize(
    ("scales", "told", "branches"),
    [
        (GuidanceScales(), 111, 1),
        (GuidanceScales(text=0, speak=0, listen=0), 0, 1),
        (GuidanceScales(text=3, speak=3, listen=3), 333, 2),
        (GuidanceScales(text=1, speak=2, listen=2), 221, 2),
        (GuidanceScales(text=2, speak=3, listen=1.5), 182, 4),
    ],
)
def test_each_condition_is_stretched_by_its_own_scale(scales: GuidanceScales, told: float, branches: int) -> None:
    inputs, sizes = _inputs(), []

    def predict(batch: DitInputs) -> Tensor:
        sizes.append(batch.latents_BFCHW.shape[0])
        return _additive_model(batch)

    guided = guide(predict, inputs, scales)
    torch.testing.assert_close(guided, inputs.latents_BFCHW + told)
    assert sizes == [2 * branches]
    assert scales.num_branches == branches


def test_path_and_velocity_agree() -> None:
    clean, noise, sigma_BF = torch.randn(SHAPE), torch.randn(SHAPE), torch.rand(2, 3)
    sigma_BF[:, 0] = 0
    noisy = add_noise(clean, noise, sigma_BF)
    assert torch.equal(noisy[:, 0], clean[:, 0])
    torch.testing.assert_close(clean_from_velocity(noisy, velocity_target(clean, noise), sigma_BF), clean)


def test_around_the_reference_an_output_of_zero_is_the_best_linear_guess() -> None:
    """Among all multiples of the offset none comes nearer to the truth, and at full noise it is the reference itself."""
    generator = torch.Generator().manual_seed(0)
    precondition = preconditioning_named("around_reference", (0.7,))
    references = ReferenceLatents(
        latents_BRCHW=torch.randn(64, 1, 8, 6, 6, generator=generator),
        kinds_BR=torch.zeros(64, 1, dtype=torch.long),
        subtypes_BR=torch.zeros(64, 1, dtype=torch.long),
    )
    ref = references.latents_BRCHW
    clean = ref + 0.7 * torch.randn(64, 1, 8, 6, 6, generator=generator)
    noise = torch.randn(clean.shape, generator=generator)
    for sigma in (0.2, 0.5, 0.9, 1.0):
        sigma_BF = torch.full((64, 1), sigma)
        noisy = add_noise(clean, noise, sigma_BF)
        velocity = precondition.velocity(torch.zeros_like(noisy), noisy, sigma_BF, references)
        guess = clean_from_velocity(noisy, velocity, sigma_BF)
        offset = noisy - (1 - sigma) * ref
        error = (guess - clean).square().mean()
        for change in (-0.1, 0.1):
            assert (guess + change * offset - clean).square().mean() > error
    torch.testing.assert_close(guess, ref.expand_as(guess))


def test_around_the_reference_output_and_velocity_are_one_line() -> None:
    """An error of the output is one of the velocity, scaled by position and noise level alone."""
    precondition = preconditioning_named("around_reference", (0.5, 1.0, 2.0, 0.3))
    references, noisy, sigma_BF = _references(), torch.randn(SHAPE), torch.rand(2, 3)
    first, second = torch.randn(SHAPE), torch.randn(SHAPE)
    difference = precondition.velocity(first, noisy, sigma_BF, references) - precondition.velocity(
        second, noisy, sigma_BF, references
    )
    scale = precondition.error_scale(sigma_BF, (SHAPE[-2], SHAPE[-1]))
    spread = precondition.residual_std_HW.view(2, 2) if isinstance(precondition, AroundReference) else 1.0
    torch.testing.assert_close(scale * difference, spread * (second - first), rtol=1e-4, atol=1e-4)
    seen = precondition.network_input(noisy, torch.zeros(2, 3), references)
    assert torch.isfinite(seen).all()


def test_the_guess_moves_towards_the_last_clean_frame() -> None:
    """At full noise an output of zero means the reference, or with history a point on the way to its last frame."""
    references = _references()
    ref = references.latents_BRCHW[:, 1]
    latents = torch.randn(SHAPE)
    precondition = preconditioning_named("around_reference", (0.5,), history_share=0.75)
    for num_history in (0, 1, 2):
        sigma_BF = torch.ones(2, 3)
        sigma_BF[:, :num_history] = 0.0
        velocity = precondition.velocity(torch.zeros(SHAPE), latents, sigma_BF, references)
        clean = clean_from_velocity(latents, velocity, sigma_BF)[:, -1]
        last = latents[:, num_history - 1] if num_history else ref
        torch.testing.assert_close(clean, 0.25 * ref + 0.75 * last, rtol=1e-4, atol=1e-5)


def test_the_plain_preconditioning_changes_nothing() -> None:
    precondition = preconditioning_named("identity")
    references, noisy, output, sigma_BF = _references(), torch.randn(SHAPE), torch.randn(SHAPE), torch.rand(2, 3)
    assert torch.equal(precondition.network_input(noisy, sigma_BF, references), noisy)
    assert torch.equal(precondition.velocity(output, noisy, sigma_BF, references), output)


def test_the_global_reference_is_found_or_missed_aloud() -> None:
    references = _references()
    assert torch.equal(global_latent(references), references.latents_BRCHW[:, 1])
    absent = replace(references, present_BR=torch.tensor([[True, True], [True, False]]))
    with pytest.raises(ValueError, match="global reference in every sample"):
        global_latent(absent)
    with pytest.raises(ValueError, match="no preconditioning 'magic'"):
        preconditioning_named("magic")
    with pytest.raises(ValueError, match="no view reference called 'top'"):
        reference_ids("view", "top")


@pytest.mark.parametrize("make", [EulerSolver, UniPCSolver])
@pytest.mark.parametrize("num_steps", [1, 2, 7])
def test_a_straight_path_is_followed_exactly(make: Callable[[], Solver], num_steps: int) -> None:
    """With the true velocity of one clean latent, any number of steps ends on it; a second run is no different."""
    clean, noise = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    levels = euler_schedule(num_steps, 3.0) if make is EulerSolver else unipc_schedule(num_steps, 3.0)
    start = (1 - levels.sigmas[0]) * clean + levels.sigmas[0] * noise
    solver = make()
    for _ in range(2):
        torch.testing.assert_close(solve(solver, levels, start, lambda latents, timestep: noise - clean), clean)


def test_sampling_of_noise_levels() -> None:
    def draw(sampling: SigmaSampling) -> Tensor:
        return sample_sigma(sampling, (20_000,), torch.Generator().manual_seed(0))

    uniform, shifted = draw(SigmaSampling()), draw(SigmaSampling(shift=3.0))
    assert uniform.mean() == pytest.approx(0.5, abs=0.01)
    torch.testing.assert_close(shifted, 3 * uniform / (1 + 2 * uniform))
    normal = draw(SigmaSampling(kind="logit_normal", mean=1.0, std=0.5))
    assert torch.logit(normal).mean() == pytest.approx(1.0, abs=0.02)
    assert torch.logit(normal).std() == pytest.approx(0.5, abs=0.02)
    assert torch.equal(uniform, draw(SigmaSampling()))
    with pytest.raises(ValueError, match="positive std"):
        SigmaSampling(std=0)
