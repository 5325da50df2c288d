"""kill -9 at random moments of a plan: it ends as if nothing had been, with the time that it was given and no more."""

import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import BadInputError
from tests.training.plans.small_plan import SMALL_PLAN, WEIGHTS
from training.plans.conductor import PlanRun, run_stages
from training.plans.plan import MadeStage
from training.plans.records import read_record
from training.recipes.places import Places
from training.time_budget import TimeBudget

ROOT = Path(__file__).parents[3]
PROGRAM = "from tests.training.plans.killed_plan import main; main()"


def start(folder: Path) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.long
def test_a_plan_that_is_killed_again_and_again_comes_to_its_end(tmp_path: Path) -> None:
    rng = random.Random(4)
    finished: dict[str, int] = {}
    for _ in range(6):
        lines_left = rng.randrange(1, 60)
        with start(tmp_path) as process:
            assert process.stdout is not None
            for line in process.stdout:
                assert line.split()[0] not in finished, "a finished stage is kept"
                lines_left -= 1
                if not lines_left:
                    break
            time.sleep(rng.random() * 0.02)
            process.kill()
        for index, stage in enumerate(SMALL_PLAN.stages, start=1):
            path = tmp_path / "stages" / f"{index:02d}-{stage.name}" / "record.json"
            if path.exists():
                assert finished.setdefault(stage.name, path.stat().st_mtime_ns) == path.stat().st_mtime_ns
    with start(tmp_path) as process:
        assert process.stdout is not None
        last = process.stdout.read()
        assert process.wait() == 0
    assert "does not beat" in last
    records = [
        read_record(tmp_path / "stages" / f"{index:02d}-{stage.name}")
        for index, stage in enumerate(SMALL_PLAN.stages, start=1)
    ]
    kept = [record for record in records if record is not None]
    assert len(kept) == len(SMALL_PLAN.stages)
    assert sum(record.minutes for record in kept) == pytest.approx(0.5, rel=0.2), "no kill gives time back"
    assert (tmp_path / "parts" / WEIGHTS).is_file()
    assert not [path for path in tmp_path.rglob("*.partial-*") if path.parent.name == "parts"]


@pytest.mark.long
def test_two_processes_share_a_stage(tmp_path: Path) -> None:
    plan = replace(SMALL_PLAN, stages=SMALL_PLAN.stages[:2])
    run = PlanRun(plan=plan, output=tmp_path, minutes=0.1, parts=tmp_path, num_processes=2)
    numbers, first = run_stages(run, lambda record: None)
    assert numbers.windows == 3
    assert first.windows == 2 * 16 * first.steps, "each process takes a batch of its own"
    assert first.after is not None
    assert (tmp_path / "parts" / WEIGHTS).is_file()


def complain(places: Places, budget: TimeBudget) -> int:
    raise BadInputError("there is no voice here; install one")


@pytest.mark.long
def test_what_a_process_says_to_a_person_is_said_by_all(tmp_path: Path) -> None:
    stage = MadeStage(name="numbers", share=1, make=complain, unit="numbers")
    run = PlanRun(
        plan=replace(SMALL_PLAN, stages=(stage,)), output=tmp_path, minutes=0.1, parts=tmp_path, num_processes=2
    )
    with pytest.raises(BadInputError, match=r"\Athere is no voice here; install one\Z"):
        run_stages(run, lambda record: None)
