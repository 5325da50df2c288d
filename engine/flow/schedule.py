"""Noise levels of a run: sigma runs from (almost) 1, pure noise, to 0, the clean latent.

Called by the solvers and by the trainers for the shift. It must not know models.
"""

from dataclasses import dataclass

import numpy as np

TIMESTEP_SCALE = 1000.0
UNIPC_FIRST_SIGMA = 0.999


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """`sigmas` has one entry more than `timesteps`; the last is 0. The model is given `timesteps`."""

    sigmas: tuple[float, ...]
    timesteps: tuple[float, ...]

    @property
    def num_steps(self) -> int:
        """Forwards of the model in the whole run."""
        return len(self.timesteps)


def shift_sigma(sigma: float, shift: float) -> float:
    """Move a noise level towards noise: `shift * s / (1 + (shift - 1) * s)`; 1 leaves it where it is."""
    return shift * sigma / (1 + (shift - 1) * sigma)


def euler_schedule(num_steps: int, shift: float) -> Schedule:
    """Even steps from exactly 1, shifted; timesteps are not rounded (Self-Forcing's table)."""
    sigmas = _shifted(1.0, num_steps, shift)
    return Schedule(sigmas=(*sigmas, 0.0), timesteps=tuple(sigma * TIMESTEP_SCALE for sigma in sigmas))


def unipc_schedule(num_steps: int, shift: float) -> Schedule:
    """Even steps from 0.999, shifted; the model gets the integer part of the timestep (Wan2.1's default sampler)."""
    sigmas = _shifted(UNIPC_FIRST_SIGMA, num_steps, shift)
    return Schedule(sigmas=(*sigmas, 0.0), timesteps=tuple(float(int(sigma * TIMESTEP_SCALE)) for sigma in sigmas))


def dpmpp_schedule(num_steps: int, shift: float) -> Schedule:
    """Even steps from exactly 1, shifted; the model gets the integer part of the timestep (Wan2.1's second sampler)."""
    _check(num_steps, shift)
    # The public table is NumPy's `linspace`, whose last binary digit decides some of the integers.
    even = [float(sigma) for sigma in np.linspace(1.0, 0.0, num_steps + 1)[:-1]]
    sigmas = tuple(shift_sigma(sigma, shift) for sigma in even)
    return Schedule(sigmas=(*sigmas, 0.0), timesteps=tuple(float(int(sigma * TIMESTEP_SCALE)) for sigma in sigmas))


def warped_timesteps(nominal: tuple[float, ...], shift: float) -> tuple[float, ...]:
    """Timesteps of a few-step model (such as 1000, 750, 500, 250) moved by the shift: 1000, 937.5, 833.3, 625 for 5."""
    return tuple(shift_sigma(timestep / TIMESTEP_SCALE, shift) * TIMESTEP_SCALE for timestep in nominal)


def _shifted(first: float, num_steps: int, shift: float) -> tuple[float, ...]:
    _check(num_steps, shift)
    return tuple(shift_sigma(first * (1 - step / num_steps), shift) for step in range(num_steps))


def _check(num_steps: int, shift: float) -> None:
    if num_steps < 1:
        raise ValueError(f"a run needs at least one step, not {num_steps}")
    if shift <= 0:
        raise ValueError(f"the shift of a schedule must be positive, not {shift}")
