"""Solvers that carry latents from noise to clean along the predicted velocity: Euler, UniPC and DPM++ (order 2, as Wan2.1).

Called by `perform` (through `engine.flow.sampler`, which knows the schedule of each) and by the rollouts of distillation. It must
not know models, guidance or chunks.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from engine.flow.schedule import Schedule

VelocityAt = Callable[[Tensor, float], Tensor]


class Solver(Protocol):
    """One step at a time; what a solver remembers between steps it forgets in `reset`."""

    def reset(self) -> None:
        """Forget everything; called before a run."""

    def step(self, schedule: Schedule, index: int, latents: Tensor, velocity: Tensor) -> Tensor:
        """Latents at `sigmas[index + 1]` from latents and velocity at `sigmas[index]`."""


def solve(solver: Solver, schedule: Schedule, latents: Tensor, velocity_at: VelocityAt) -> Tensor:
    """The whole run; `velocity_at(latents, timestep)` is the model with all its conditions."""
    solver.reset()
    for index, timestep in enumerate(schedule.timesteps):
        latents = solver.step(schedule, index, latents, velocity_at(latents, timestep))
    return latents


@dataclass
class EulerSolver:
    """Straight steps; has no memory."""

    def reset(self) -> None:
        """Nothing to forget."""

    def step(self, schedule: Schedule, index: int, latents: Tensor, velocity: Tensor) -> Tensor:
        """`x + (sigma_next - sigma) * velocity`."""
        return latents + (schedule.sigmas[index + 1] - schedule.sigmas[index]) * velocity


@dataclass
class UniPCSolver:
    """UniPC, order 2, B(h) = e^h - 1 ("bh2"), predicting x_0, corrector in every step but the first.

    Needs a schedule that starts below sigma 1 (`unipc_schedule`). Remembers the clean predictions of the last two steps
    and the latents from which the last step was made.
    """

    clean_history: list[Tensor] = field(default_factory=list)
    previous_latents: Tensor | None = None
    previous_order: int = 0

    def reset(self) -> None:
        """Forget the run before."""
        self.clean_history = []
        self.previous_latents = None
        self.previous_order = 0

    def step(self, schedule: Schedule, index: int, latents: Tensor, velocity: Tensor) -> Tensor:
        """Correct the latents with the new prediction, then predict the next ones."""
        clean = latents - schedule.sigmas[index] * velocity
        if self.previous_latents is not None:
            latents = self._correct(schedule, index, clean)
        self.clean_history = [*self.clean_history[-1:], clean]
        order = min(2, schedule.num_steps - index, len(self.clean_history))
        self.previous_latents, self.previous_order = latents, order
        return self._predict(schedule, index, order)

    def _predict(self, schedule: Schedule, index: int, order: int) -> Tensor:
        assert self.previous_latents is not None
        newest = self.clean_history[-1]
        span = _Span.between(schedule, index, index + 1)
        predicted = span.first_order(self.previous_latents, newest)
        if order == 1:
            return predicted
        slope = (self.clean_history[-2] - newest) / span.ratio_of(schedule, index - 1)
        return predicted - span.alpha * span.growth * 0.5 * slope

    def _correct(self, schedule: Schedule, index: int, clean: Tensor) -> Tensor:
        """Redo the step from `index - 1` to `index` now that the prediction at its end is known."""
        assert self.previous_latents is not None
        newest = self.clean_history[-1]
        span = _Span.between(schedule, index - 1, index)
        correction = 0.5 * (clean - newest)
        if self.previous_order == 2:
            ratio = span.ratio_of(schedule, index - 2)
            weight_past, weight_end = span.corrector_weights(ratio)
            correction = weight_past * (self.clean_history[-2] - newest) / ratio + weight_end * (clean - newest)
        return span.first_order(self.previous_latents, newest) - span.alpha * span.growth * correction


@dataclass
class DpmPlusPlusSolver:
    """DPM-Solver++ (2M, midpoint; Lu et al. 2022), predicting x_0; the first and the last step are of order 1.

    Remembers the clean prediction of the step before. A step from sigma 1, where no signal is left, is the limit of the formula.
    """

    previous_clean: Tensor | None = None

    def reset(self) -> None:
        """Forget the run before."""
        self.previous_clean = None

    def step(self, schedule: Schedule, index: int, latents: Tensor, velocity: Tensor) -> Tensor:
        """`x` moved to the next noise level with the clean prediction, extrapolated to the middle of the step."""
        sigmas = schedule.sigmas
        clean = latents - sigmas[index] * velocity
        previous, self.previous_clean = self.previous_clean, clean
        is_last = index == schedule.num_steps - 1
        middle = clean
        if previous is not None and not is_last:
            h_before = _log_snr(sigmas[index]) - _log_snr(sigmas[index - 1])
            h = _log_snr(sigmas[index + 1]) - _log_snr(sigmas[index])
            middle = clean + 0.5 * h / h_before * (clean - previous)
        # The weights of the latents and of x_0; alpha (1 - e^-h) written so that it holds at sigma 1 and 0.
        ratio = sigmas[index + 1] / sigmas[index]
        return ratio * latents + (1 - sigmas[index + 1] - ratio * (1 - sigmas[index])) * middle


@dataclass(frozen=True, kw_only=True)
class _Span:
    """Coefficients of one step between two noise levels, in float64; h is the gain of the log signal-to-noise ratio."""

    start_log_snr: float
    h: float
    alpha: float
    sigma_ratio: float

    @classmethod
    def between(cls, schedule: Schedule, start: int, end: int) -> "_Span":
        start_sigma, end_sigma = schedule.sigmas[start], schedule.sigmas[end]
        if start_sigma >= 1:
            raise ValueError("UniPC cannot start at sigma 1, where no signal is left; use unipc_schedule")
        start_log_snr = _log_snr(start_sigma)
        return cls(
            start_log_snr=start_log_snr,
            h=_log_snr(end_sigma) - start_log_snr,
            alpha=1 - end_sigma,
            sigma_ratio=end_sigma / start_sigma,
        )

    @property
    def growth(self) -> float:
        """B(h), negative because x_0 is predicted."""
        return math.expm1(-self.h)

    def first_order(self, latents: Tensor, clean: Tensor) -> Tensor:
        return self.sigma_ratio * latents - self.alpha * self.growth * clean

    def ratio_of(self, schedule: Schedule, index: int) -> float:
        """Where an earlier noise level lies, in units of this step (negative)."""
        return (_log_snr(schedule.sigmas[index]) - self.start_log_snr) / self.h

    def corrector_weights(self, ratio: float) -> tuple[float, float]:
        """Weights of the past and of the end that make the corrector exact to order 2: [1 1; r 1] w = b."""
        first = (self.growth / -self.h - 1) / self.growth
        second = 2 * ((self.growth / -self.h - 1) / -self.h - 0.5) / self.growth
        weight_past = (first - second) / (1 - ratio)
        return weight_past, first - weight_past


def _log_snr(sigma: float) -> float:
    """log(alpha / sigma): infinite where no noise is left, minus infinite where no signal is."""
    if sigma == 0:
        return math.inf
    return -math.inf if sigma >= 1 else math.log1p(-sigma) - math.log(sigma)
