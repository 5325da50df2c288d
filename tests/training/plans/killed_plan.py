"""The small plan in a process of its own, for tests that kill it: prints a line a step, `STAGE STEP`, and the table at the end."""

import functools
import sys
from pathlib import Path
from typing import Any

from tests.training.plans.small_plan import SMALL_PLAN, Ticks
from training.plans import stage_work
from training.plans.conductor import PlanRun, run_stages
from training.plans.records import table
from training.time_budget import TimeBudget


def main() -> None:
    """Runs the plan in the folder given as the last argument, or goes on there."""

    def reporter(stage: str, *, as_json: bool) -> Any:
        return lambda record: sys.stdout.write(f"{stage} {record['step']}\n")

    stage_work.__dict__.update(_reporter=reporter, TimeBudget=functools.partial(TimeBudget, now_s=Ticks()))
    output = Path(sys.argv[-1])
    records = run_stages(PlanRun(plan=SMALL_PLAN, output=output, minutes=0.5, parts=output), lambda record: None)
    sys.stdout.write(table(records) + "\n")
