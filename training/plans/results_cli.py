"""`python -m training results stages|ablations|dpo RUN -o FILE`: tables of what a plan's stages gave, as JSON.

RUN is the folder of a finished plan: `lpm train tiny` for all but the ablations, `tiny-online` for the stages alone,
`tiny-preferences` for dpo alone, `tiny-ablations`. The files name no folder of this machine.
"""

import argparse
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Final

from engine.errors import BadInputError
from engine.media.files_to_write import check_files_to_write
from training.bench.cli import chosen_config
from training.bench.report import write_report
from training.bench.terminal import show, tell
from training.plans.ablations import ABLATIONS, PAIRS, compared
from training.plans.conductor import CLIPS, PARTS, PLAN_FILE, REPORT
from training.plans.plan import Plan
from training.plans.preference_table import compare_films, compare_plans
from training.plans.records import StageRecord, read_json
from training.plans.stage_table import ROWS, build_row, judged_row
from training.plans.stage_work import START_FOLDER
from training.plans.tiny import FROM_NOTHING, ONLINE, PREFERENCES, TINY
from training.recipes.places import Places

SHOWN: Final = (
    "mouth_r",
    "mouth_amplitude",
    "false_lip_rate",
    "identity_top1_any_motion",
    "motion_ratio",
    "sharpness_ratio",
)

NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "stages": ("causal", "ode", "off-policy", "on-policy", "refiner"),
    "ablations": tuple(stage for pair in PAIRS.values() for stage in (pair.with_it, pair.without_it)),
    "dpo": ("dpo",),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `python -m training results`."""
    tables = parser.add_subparsers(dest="table", required=True)
    for name, help_text in (
        (
            "stages",
            "Base; causal; + ODE; + off-policy; + on-policy; + refiner, by the measures of `lpm evaluate quick`",
        ),
        ("ablations", "noisy or clean history, with or without references, of equal time"),
        ("dpo", "what preference optimisation did to the measures that chose the winners, and to the others"),
    ):
        table = tables.add_parser(name, help=help_text)
        table.add_argument("run", type=Path, help="the folder of the plan's run")
        table.add_argument("-o", "--output", type=Path, required=True, help="the JSON file")
        if name != "ablations":
            table.add_argument("--cases", type=int, default=8, help="held-out actors")
            table.add_argument("--workers", type=int, default=2, help="single-threaded processes that share the work")


def run(options: argparse.Namespace) -> None:
    """Makes one table."""
    check_files_to_write({"-o": options.output}, (options.run / PLAN_FILE, options.run / REPORT), makes_folders=True)
    plan, report, records = finished_run(options.run)
    lacking = [stage for stage in NEEDED[options.table] if stage not in records]
    if lacking:
        raise BadInputError(
            f"{options.run} is a run of {plan.name}, without the stage {lacking[0]}; give that of another plan"
        )
    tables: dict[str, Callable[[], dict[str, object]]] = {
        "stages": functools.partial(_stages, options, plan, records),
        "ablations": lambda: {"pairs": compared(records)},
        "dpo": lambda: _dpo(options, plan, records),
    }
    made = tables[options.table]()
    write_report(options.output, {**made, "training": _training(report, records)})
    show(f"report {options.output}")


def finished_run(folder: Path) -> tuple[Plan, dict[str, object], dict[str, StageRecord]]:
    """The plan, report and records of a run; `BadInputError` where there is none, or it is not finished."""
    begun, report = read_json(folder / PLAN_FILE), read_json(folder / REPORT)
    if begun is None or report is None:
        raise BadInputError(
            f"{folder} holds no finished plan; make one with: lpm train {TINY.name} --minutes 60 -o {folder}"
        )
    records = {found["stage"]: StageRecord(**found) for found in report["stages"]}
    for plan in (TINY, FROM_NOTHING, ONLINE, PREFERENCES, ABLATIONS):
        for each in (plan, plan.without(("clips",)), plan.without(("clips", "latent-reader"))):
            if each.name == begun["plan"] and [stage.name for stage in each.stages] == list(records):
                return each, report, records
    raise BadInputError(f"{folder} was made by another release, whose stages were {', '.join(records)}; make it anew")


def _training(report: dict[str, object], records: dict[str, StageRecord]) -> dict[str, object]:
    """What the figures rest on: how long and on how much each stage learned, and whether it was taken on."""
    stages = {
        name: {
            "steps": record.steps,
            "windows": record.windows,
            "minutes": round(record.minutes, 2),
            "measure": record.measure,
            "before": record.before,
            "after": record.after,
            "verdict": record.verdict,
        }
        for name, record in records.items()
    }
    return {"minutes_given": report["minutes_given"], "processes": report["processes"], "stages": stages}


def _stages(options: argparse.Namespace, plan: Plan, records: dict[str, StageRecord]) -> dict[str, object]:
    config = chosen_config(full=False, num_actors=options.cases)
    rows: dict[str, dict[str, object]] = {}
    for row in ROWS:
        tell(row.name)
        rows[row.name] = judged_row(
            row, build_row(row, plan, options.run, records), records, config, max(1, options.workers), tell
        )
        figures = rows[row.name]["figures"]
        assert isinstance(figures, dict)
        show("  ".join([f"{row.name:14}", *(f"{name} {figures[name]['value']}" for name in SHOWN)]))
    return {"rows": rows}


def _dpo(options: argparse.Namespace, plan: Plan, records: dict[str, StageRecord]) -> dict[str, object]:
    folder = next((options.run / "stages").glob("*-dpo"), None)
    if folder is None or not records["dpo"].steps:
        raise BadInputError(f"preference optimisation was not trained in {options.run}: {records['dpo'].verdict}")
    parts, before, after = options.run / PARTS, folder / START_FOLDER, folder
    places = Places(parts=parts, clips=options.run / CLIPS)
    plans = compare_plans(places, before, after, tell)
    config = chosen_config(full=False, num_actors=options.cases)
    films = compare_films(
        options.run / "preferences", parts, {"before": before, "after": after}, config, max(1, options.workers), tell
    )
    return {"plans": plans, "films": films}
