"""A plan from the command line: its stages, the pack, the proof that it performs, the table. Called by `training.cli`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from engine.errors import BadInputError
from training.packing import build_pack
from training.plans.ablations import ABLATIONS
from training.plans.conductor import PACK, REPORT, PlanRun, report_of, run_stages
from training.plans.plan import Plan
from training.plans.proof import prove
from training.plans.records import StageRecord, table, write_json
from training.plans.tiny import FROM_NOTHING, ONLINE, PAINTING, PREFERENCES, RETOUCHING, TINY
from training.progress import print_json, print_text
from training.tasks.latent_reader import READER_FILE, READER_FOLDER

PLANS: Final[dict[str, Plan]] = {
    plan.name: plan for plan in (TINY, ONLINE, PAINTING, RETOUCHING, PREFERENCES, ABLATIONS)
}
PACK_VERSION: Final = "0.1.0"


@dataclass(frozen=True, kw_only=True)
class PlanAsked:
    """What a person asks for."""

    name: str
    output: Path
    minutes: float
    parts: Path
    clips: Path | None
    start_from: Path | None
    is_anew: bool
    num_processes: int
    device_type: str
    as_json: bool


def run_plan(asked: PlanAsked) -> None:
    """Runs the plan to its end, or goes on with what a kill left of it."""
    plan_run = PlanRun(
        plan=chosen_plan(asked),
        output=asked.output,
        minutes=asked.minutes,
        parts=asked.parts,
        clips=asked.clips,
        start_from=asked.start_from,
        num_processes=asked.num_processes,
        device_type=asked.device_type,
        as_json=asked.as_json,
    )

    def tell(record: StageRecord) -> None:
        if asked.as_json:
            print_json({"finished": record.stage, **asdict(record)})
        else:
            print_text(f"{record.stage}: {record.verdict}")

    records = run_stages(plan_run, tell)
    finish(plan_run, records, asked)


def chosen_plan(asked: PlanAsked) -> Plan:
    """The plan by its name, with codec and encoders where they are asked for, without clips of its own where some are given."""
    plan = PLANS[asked.name]
    if asked.is_anew:
        if asked.name != TINY.name:
            raise BadInputError(f"--anew belongs to {TINY.name}; {asked.name} takes codec and encoders from --parts")
        if asked.clips is not None:
            raise BadInputError(
                "--anew trains a codec of its own, which cannot read the clips of --clips; leave one away"
            )
        plan = FROM_NOTHING
    return plan if asked.clips is None else plan.without(made_already(asked.clips))


def made_already(clips: Path) -> tuple[str, ...]:
    """The stages that a folder of clips makes needless: that which makes clips, and where their reader lies beside them its own."""
    return ("clips", "latent-reader") if (clips / READER_FOLDER / READER_FILE).is_file() else ("clips",)


def finish(plan_run: PlanRun, records: list[StageRecord], asked: PlanAsked) -> None:
    """Pack, proof, report, table."""
    report = report_of(plan_run, records)
    if plan_run.plan.packs:
        pack = plan_run.output / PACK
        manifest = build_pack([plan_run.places.parts], pack, asked.output.name, PACK_VERSION)
        proof = prove(pack, plan_run.output)
        report["pack"] = {"name": manifest.name, **asdict(proof)}
    write_json(plan_run.output / REPORT, report)
    if asked.as_json:
        print_json({"report": report})
        return
    print_text(table(records))
    rejected = [record.stage for record in records if record.accepted is False]
    if rejected:
        print_text(f"not taken on, because they did not beat where they began: {', '.join(rejected)}")
    if plan_run.plan.packs:
        print_text(f"{plan_run.output / PACK} performs: {proof.line()}")
    print_text(f"report {plan_run.output / REPORT}")
