"""kill -9 at any moment: a run that is started again gives the losses of one that was never killed."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.curves import Metrics

ROOT = Path(__file__).parents[2]
PROGRAM = "from tests.training.killed_run import main; main()"


def start(folder: Path) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def run_killed_at(folder: Path, kill_steps: list[int], rng: random.Random) -> None:
    """Kills the run a moment after each of these steps was reported, then lets it end."""
    for kill_step in kill_steps:
        with start(folder) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if int(line) >= kill_step:
                    time.sleep(rng.random() * 0.01)
                    process.kill()
                    break
    with start(folder) as process:
        assert process.stdout is not None
        process.stdout.read()
        assert process.wait() == 0


def losses(folder: Path) -> list[tuple[int, float]]:
    return Metrics(folder / "metrics.jsonl").curves()["loss"]


def check(folder: Path, kill_steps: list[int], seed: int) -> None:
    run_killed_at(folder / "whole", [], random.Random(0))
    run_killed_at(folder / "killed", kill_steps, random.Random(seed))
    assert losses(folder / "killed") == losses(folder / "whole")
    assert [step for step, _ in losses(folder / "whole")] == list(range(1, 41))
    assert not list((folder / "killed").glob("*partial*"))


def test_a_killed_run_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    check(tmp_path, [17], seed=1)


@pytest.mark.long
def test_twenty_kills(tmp_path: Path) -> None:
    rng = random.Random(2)
    check(tmp_path, sorted(rng.randrange(2, 40) for _ in range(20)), seed=3)
