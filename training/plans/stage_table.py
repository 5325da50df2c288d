"""The table of stages: what each stage towards the causal pair gives, by the measures of `lpm evaluate quick` (paper table of stages).

Each row is a pack of its own, judged as it performs: the base model by its films, the causal models in the live session. Until it is
trained by itself the refiner is what the causal stage made; a stage that was rejected gives what it began with.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from training.bench.pack_films import Maker, pack_crew
from training.bench.quick import QuickConfig, Tell, run_quick
from training.bench.regressor import DEFAULT_FOLDER
from training.packing import BACKBONE_FILE, REFINER_FILE, build_pack
from training.plans.conductor import PARTS, STAGES, put
from training.plans.plan import Plan, TrainedStage
from training.plans.records import StageRecord
from training.plans.stage_work import START_FOLDER
from training.plans.tiny import COMPONENTS
from training.recipes.parts import BASE_FILE, MOTION_FILE

ROWS_FOLDER: Final = "rows"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: its name, who performs, and the stages whose backbone and refiner it has; None where the base model performs."""

    name: str
    maker: Maker
    backbone_of: str | None = None
    refiner_of: str | None = None


ROWS: Final = (
    Row(name="Base", maker="film"),
    Row(name="Causal", maker="live", backbone_of="causal", refiner_of="causal"),
    Row(name="+ ODE", maker="live", backbone_of="ode", refiner_of="causal"),
    Row(name="+ off-policy", maker="live", backbone_of="off-policy", refiner_of="causal"),
    Row(name="+ on-policy", maker="live", backbone_of="on-policy", refiner_of="causal"),
    Row(name="+ refiner", maker="live", backbone_of="on-policy", refiner_of="refiner"),
)


def build_row(row: Row, plan: Plan, output: Path, records: dict[str, StageRecord]) -> Path:
    """The pack of a row, in the plan's folder; made anew."""
    folder = output / ROWS_FOLDER / row.name.strip("+ ").replace(" ", "-").lower()
    weights = folder / "weights"
    for name in (*COMPONENTS, MOTION_FILE, BASE_FILE):
        put(output / PARTS / name, weights / name, is_linked=True, replaces=True)
    for stage, name in ((row.backbone_of, BACKBONE_FILE), (row.refiner_of, REFINER_FILE)):
        if stage is not None:
            put(given_by(plan, output, records[stage]) / name, weights / name, is_linked=True, replaces=True)
    build_pack([weights], folder / "pack", row.name, "0.1.0")
    return folder / "pack"


def given_by(plan: Plan, output: Path, record: StageRecord) -> Path:
    """The folder of the weights that were parts after a stage."""
    index = [stage.name for stage in plan.stages].index(record.stage)
    assert isinstance(plan.stages[index], TrainedStage)
    folder = output / STAGES / f"{index + 1:02d}-{record.stage}"
    return folder if record.accepted else folder / START_FOLDER


def refines(row: Row, records: dict[str, StageRecord]) -> str | None:
    """Who refines in a row; None where films are made by the base model."""
    if row.backbone_of is None:
        return None
    is_its_own = row.refiner_of == "refiner" and bool(records["refiner"].accepted)
    return "a refiner of its own" if is_its_own else "the causal stage's network"


def judged_row(
    row: Row, pack: Path, records: dict[str, StageRecord], config: QuickConfig, num_workers: int, tell: Tell
) -> dict[str, object]:
    """A row's figures."""
    with pack_crew(str(pack), DEFAULT_FOLDER, config, num_workers, row.maker) as crew:
        quick = run_quick(crew, config, tell)
    return {
        "performed": {"film": "films by the base model", "live": "in the live session"}[row.maker],
        "refiner": refines(row, records),
        "actors": len(quick.results),
        "figures": {figure.name: figure.as_table() for figure in quick.figures},
        "seconds": round(quick.wall_s, 1),
    }
