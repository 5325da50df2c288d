"""A solver together with its schedule, by the name that a pack's manifest gives it.

Called by `perform`. It must not know models or guidance. Each solver has a table of its own, as published: Euler and DPM++ start at
sigma exactly 1, UniPC just below, and only Euler tells the model timesteps that are not cut to integers.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from engine.flow.schedule import Schedule, dpmpp_schedule, euler_schedule, unipc_schedule
from engine.flow.solver import DpmPlusPlusSolver, EulerSolver, Solver, UniPCSolver, VelocityAt, solve

_MAKERS: dict[str, tuple[Callable[[], Solver], Callable[[int, float], Schedule]]] = {
    "euler": (EulerSolver, euler_schedule),
    "unipc": (UniPCSolver, unipc_schedule),
    "dpmpp": (DpmPlusPlusSolver, dpmpp_schedule),
}
SOLVER_NAMES = tuple(_MAKERS)


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """One way from noise to clean latents: the steps and who makes them."""

    solver: Solver
    schedule: Schedule

    def run(self, noise: Tensor, velocity_at: VelocityAt) -> Tensor:
        """Clean latents from noise; `velocity_at(latents, timestep)` is the model with all its conditions."""
        return solve(self.solver, self.schedule, noise, velocity_at)


def sampler_named(name: str, num_steps: int, shift: float) -> Sampler:
    """The named solver on its own schedule; `ValueError` names the known ones."""
    if name not in _MAKERS:
        raise ValueError(f"there is no solver {name!r}; known: {', '.join(SOLVER_NAMES)}")
    make_solver, make_schedule = _MAKERS[name]
    return Sampler(solver=make_solver(), schedule=make_schedule(num_steps, shift))
