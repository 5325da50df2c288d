"""Runs a plan: gives each stage its share of the time, judges what came out, takes it on or not, and sums up.

    OUTPUT/parts    the weights taken on so far; what a stage begins from
    OUTPUT/clips    what is learned from
    OUTPUT/stages   a folder a stage: its run, its clock, its record
    OUTPUT/pack     the pack, OUTPUT/report.json the table

A kill at any moment costs what the running stage did since its last checkpoint: the same command goes on from there, with the time that
is left. Called by `training.plans.cli`.
"""

import functools
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from engine.errors import BadInputError
from engine.packs import file_sha256
from training.data.encoded import ENCODED_ROWS
from training.data.performed_clips import PERFORMED_ROWS
from training.data.posed_clips import POSED_ANCHORS
from training.data.shards import FINGERPRINT_NAME, claim_folder, shard_paths
from training.parallel import run_processes
from training.plans.plan import MadeStage, Plan, Stage, TrainedStage
from training.plans.records import (
    BEGUN,
    Outcome,
    StageRecord,
    read_json,
    read_outcome,
    read_record,
    write_json,
    write_record,
)
from training.plans.stage_work import START_FOLDER, StageWork, make, train
from training.recipes.parts import (
    BASE_FILE,
    CHINESE_FILE,
    CODEC_FILE,
    MATTE_FILE,
    MOTION_FILE,
    PAINT_FILE,
    POSING_FILE,
    RETOUCH_FILE,
)
from training.recipes.places import Places
from training.tasks.latent_reader import READER_FILE, READER_FOLDER

logger = logging.getLogger(__name__)

PLAN_FILE: Final = "plan.json"
LEARNED_FIRST: Final = (MOTION_FILE, BASE_FILE)
# What older packs lack: up to which one, what they did instead, and what trains it.
_SINCE: Final = {
    MOTION_FILE: ("0.4.0 planned no motion", "lpm train tiny --parts {parts} --start-from {parts}"),
    BASE_FILE: ("0.4.0 planned no motion", "lpm train tiny --parts {parts} --start-from {parts}"),
    POSING_FILE: ("0.5.0 posed no anchor", "lpm train tiny-posing -o {parts}"),
    RETOUCH_FILE: ("0.6.0 retouched nothing", "lpm train tiny-retouching --parts {parts}"),
    PAINT_FILE: ("0.10.0 painted nothing", "lpm train tiny-painting --parts {parts}"),
    MATTE_FILE: ("0.14.0 moved what stands behind with the character", "lpm train tiny-matte -o {parts}"),
    CHINESE_FILE: ("0.15.0 knew English alone", "lpm train tiny-chinese-text --parts {parts} -o {parts}"),
}
PARTS, CLIPS, STAGES, PACK, REPORT = "parts", "clips", "stages", "pack", "report.json"


@dataclass(frozen=True, kw_only=True)
class PlanRun:
    """A plan in a folder. `clips`: shards to learn from instead of making some; `start_from`: weights that the plan begins with."""

    plan: Plan
    output: Path
    minutes: float
    parts: Path
    clips: Path | None = None
    start_from: Path | None = None
    num_processes: int = 1
    device_type: str = "cpu"
    as_json: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.minutes < float("inf"):
            raise BadInputError(f"--minutes {self.minutes:g}: a plan needs some time, e.g. --minutes 60")

    @property
    def places(self) -> Places:
        """The plan's own folders."""
        return Places(parts=self.output / PARTS, clips=self.output / CLIPS)

    def folder_of(self, stage: Stage) -> Path:
        """A stage's folder, numbered so that a listing shows the order."""
        return self.output / STAGES / f"{self.plan.stages.index(stage) + 1:02d}-{stage.name}"


def run_stages(run: PlanRun, tell: Callable[[StageRecord], None]) -> list[StageRecord]:
    """All stages, or what is left of them; `tell` gets each record as it is finished."""
    _claim(run)
    _lay_out(run)
    places, records = run.places, list[StageRecord]()
    for index, stage in enumerate(run.plan.stages):
        folder = run.folder_of(stage)
        record = read_record(folder)
        if record is None:
            left_s = 60 * (run.minutes - sum(done.minutes for done in records))
            record = _do(run, stage, places, run.plan.allotted_s(index, left_s))
            tell(record)
        records.append(record)
        if isinstance(stage, MadeStage) and stage.tells is not None:
            places = stage.tells(places, record.windows)
    return records


def _claim(run: PlanRun) -> None:
    """Writes down what the folder is for, or refuses by name what it was not begun with."""
    asked = {
        "plan": run.plan.name,
        "stages": ", ".join(stage.name for stage in run.plan.stages),
        "--minutes": f"{run.minutes:g}",
        "--parts": str(run.parts),
        "--clips": str(run.clips),
        "--start-from": str(run.start_from),
    }
    path = run.output / PLAN_FILE
    begun = read_json(path)
    if begun is None:
        write_json(path, asked)
        return
    changed = [f"{name} {begun.get(name)} (now {value})" for name, value in asked.items() if begun.get(name) != value]
    if changed:
        raise BadInputError(
            f"{run.output} was begun with {changed[0]}; give the same to go on with it, or another folder with -o"
        )


def _lay_out(run: PlanRun) -> None:
    """Puts what the plan begins with into its folders, as far as it is not there yet."""
    places = run.places
    places.parts.mkdir(parents=True, exist_ok=True)
    places.clips.mkdir(parents=True, exist_ok=True)
    given = [run.parts / name for name in run.plan.given]
    missing = [path for path in given if not path.is_file()]
    if missing:
        raise BadInputError(_how_to_get(missing[0], run.parts))
    given += [path for name in run.plan.taken_along if (path := run.parts / name).is_file()]
    if run.start_from is not None:
        if not run.start_from.is_dir():
            raise BadInputError(f"{run.start_from} is no folder; --start-from takes the folder of a run or of a pack")
        given += sorted(run.start_from.glob("*.safetensors"))
    if run.clips is not None:
        kept = (FINGERPRINT_NAME, ENCODED_ROWS, PERFORMED_ROWS, POSED_ANCHORS, f"{READER_FOLDER}/{READER_FILE}")
        beside = [path for pattern in kept for path in run.clips.glob(pattern)]
        for path in (*shard_paths(run.clips), *beside):
            put(path, places.clips / path.relative_to(run.clips), is_linked=True)
        claim_folder(places.clips, file_sha256(run.parts / CODEC_FILE))
    for path in given:
        put(path, places.parts / path.name)
    if run.plan.prepare is not None:
        run.plan.prepare(places.parts)


def _how_to_get(missing: Path, parts: Path) -> str:
    """What to do about a part that the plan begins with and that is not there."""
    if missing.name not in _SINCE:
        return (
            f"{missing} is missing; give a folder that holds it with --parts, or train it with: lpm train tiny --anew"
        )
    older, command = _SINCE[missing.name]
    return (
        f"{missing} is missing (packs up to lpm-tiny {older}); give a folder that holds it with --parts, or train it"
        f"{', the base going on from where it is,' if missing.name in LEARNED_FIRST else ''} with: {command.format(parts=parts)}"
    )


def put(source: Path, target: Path, *, is_linked: bool = False, replaces: bool = False) -> None:
    """A file at its place, whole or not at all; what is there stays unless it `replaces`. A link where the disk can, if asked."""
    if target.exists() and not replaces:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".partial-{os.getpid()}")
    try:
        if not is_linked:
            raise OSError
        os.link(source, partial)
    except OSError:
        shutil.copyfile(source, partial)
    partial.replace(target)


def _do(run: PlanRun, stage: Stage, places: Places, allotted_s: float) -> StageRecord:
    """One stage to its record."""
    folder = run.folder_of(stage)
    folder.mkdir(parents=True, exist_ok=True)
    outcome = read_outcome(folder)
    if outcome is None:
        begun = read_json(folder / BEGUN)
        if begun is None:
            begun = {"allotted_s": allotted_s}
            write_json(folder / BEGUN, begun)
        work = StageWork(
            places=places,
            folder=folder,
            allotted_s=float(begun["allotted_s"]),
            device_type=run.device_type,
            as_json=run.as_json,
        )
        logger.info("%s: %.1f minutes", stage.name, work.allotted_s / 60)
        if isinstance(stage, MadeStage):
            run_processes(functools.partial(make, stage, work), run.num_processes)
        else:
            run_processes(functools.partial(train, stage, work), run.num_processes)
        outcome = read_outcome(folder)
        assert outcome is not None, "a stage's work leaves an outcome"
    record = judged(stage, outcome)
    if isinstance(stage, TrainedStage):
        _take_on(stage, folder, stage.folder_of_parts(places), is_better=bool(record.accepted))
    write_record(folder, record)
    return record


def judged(stage: Stage, outcome: Outcome) -> StageRecord:
    """Whether a stage's weights are taken on, and why."""
    minutes = outcome.spent_s / 60
    if isinstance(stage, MadeStage):
        return StageRecord(
            stage=stage.name, measure="", before=None, after=None, steps=0, windows=outcome.windows, minutes=minutes,
            accepted=None, verdict=f"{outcome.windows} {stage.unit}",
        )  # fmt: skip
    name = stage.measure.name
    before, after = outcome.before.get(name), outcome.after.get(name)
    is_better = after is not None and stage.measure.is_beaten(before, after)
    if outcome.problem is not None:
        verdict = f"rejected: {outcome.problem}"
    elif is_better:
        verdict = "taken on"
    else:
        verdict = f"rejected: its {stage.measure} does not beat where the stage began"
    return StageRecord(
        stage=stage.name,
        measure=name,
        before=before,
        after=after,
        steps=outcome.steps,
        windows=outcome.windows,
        minutes=minutes,
        accepted=is_better and outcome.problem is None,
        verdict=verdict,
        all_before=outcome.before,
        all_after=outcome.after,
    )


def _take_on(stage: TrainedStage, folder: Path, parts: Path, *, is_better: bool) -> None:
    """What a stage gives becomes parts. Of a rejected one, only where nothing is yet, what it began with: a pack must be whole."""
    for name in stage.gives:
        source = (folder if is_better else folder / START_FOLDER) / name
        if source.is_file():
            put(source, parts / name, replaces=is_better)


def report_of(run: PlanRun, records: list[StageRecord]) -> dict[str, object]:
    """The report's content."""
    return {
        "plan": run.plan.name,
        "minutes_given": run.minutes,
        "minutes_spent": round(sum(record.minutes for record in records), 2),
        "processes": run.num_processes,
        "not_counted": "measuring and showing, before, while and after a stage trains",
        "stages": [asdict(record) for record in records],
    }
