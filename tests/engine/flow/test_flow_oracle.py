"""Schedules and solvers hold to the public tables and trajectories (sigmas 1e-6, timesteps exact, runs 2e-6)."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.flow.schedule import Schedule, dpmpp_schedule, euler_schedule, unipc_schedule, warped_timesteps
from engine.flow.solver import EulerSolver, Solver, UniPCSolver

ORACLE = Path(__file__).parents[4] / "shared" / "oracles" / "flow_schedules.json"


@pytest.fixture(scope="module")
def oracle() -> dict[str, Any]:
    if not ORACLE.is_file():
        pytest.skip(f"the numeric oracle {ORACLE.name} is not beside this checkout (../shared/oracles)")
    return dict(json.loads(ORACLE.read_text()))


def test_tables(oracle: dict[str, Any]) -> None:
    for entry in oracle["schedules"]:
        unipc = unipc_schedule(entry["steps"], entry["shift"])
        assert unipc.sigmas == pytest.approx(entry["wan_unipc"]["sigmas"], abs=1e-6)
        assert list(unipc.timesteps) == entry["wan_unipc"]["timesteps"]
        dpmpp = dpmpp_schedule(entry["steps"], entry["shift"])
        assert dpmpp.sigmas == pytest.approx(entry["wan_dpmpp"]["sigmas"], abs=1e-6)
        assert list(dpmpp.timesteps) == entry["wan_dpmpp"]["timesteps"]
        euler = euler_schedule(entry["steps"], entry["shift"])
        assert euler.sigmas == pytest.approx(entry["euler_self_forcing"]["sigmas"], abs=1e-6)
        assert euler.timesteps == pytest.approx(entry["euler_self_forcing"]["timesteps"], abs=1e-3)


def test_few_step_list_is_warped(oracle: dict[str, Any]) -> None:
    nominal = tuple(float(timestep) for timestep in oracle["few_step_list_nominal"])
    for shift, expected in oracle["few_step_list_warped_by_shift"].items():
        assert warped_timesteps(nominal, float(shift)) == pytest.approx(expected, abs=1e-3)


def test_trajectories(oracle: dict[str, Any]) -> None:
    field = oracle["toy_field"]
    x_init, a, b, c = (
        torch.tensor(field[name], dtype=torch.float64).reshape(field["shape"]) for name in ("x_init", "a", "b", "c")
    )
    for run in oracle["trajectories"]:
        is_unipc = run["solver"] == "wan_unipc"
        solver: Solver = UniPCSolver() if is_unipc else EulerSolver()
        schedule = (unipc_schedule if is_unipc else euler_schedule)(run["steps"], run["shift"])
        steps = run.get("float64_samples", run.get("samples"))
        errors = _errors_of_run(solver, schedule, x_init, (a, b, c), steps)
        assert max(errors) < 2e-6, (run["solver"], run["shift"], run["steps"])


def _errors_of_run(
    solver: Solver, schedule: Schedule, x: Tensor, field: tuple[Tensor, Tensor, Tensor], steps: list[dict[str, Any]]
) -> list[float]:
    a, b, c = field
    errors = []
    solver.reset()
    for index, (timestep, expected) in enumerate(zip(schedule.timesteps, steps, strict=True)):
        x = solver.step(schedule, index, x, a * x + b * timestep / 1000 + c)
        errors.append((x - torch.tensor(expected["x_next"], dtype=torch.float64).reshape(x.shape)).abs().max().item())
    return errors
