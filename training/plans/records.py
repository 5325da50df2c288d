"""What is known of each stage of a plan, on disk and as a table.

A stage has up to three files in its folder: `begun.json` when it was given its time, `outcome.json` when its work was done, and
`record.json` when its weights were taken on or not. Each is whole or missing, so a kill between two of them repeats no work.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from engine.errors import BadInputError

BEGUN, OUTCOME, RECORD = "begun.json", "outcome.json", "record.json"
HEAD: Final = ("stage", "measure", "before", "after", "steps", "windows", "minutes", "verdict")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a stage's work came to, measured on the same held-out samples before and after.

    windows: samples that it learned from (with repetitions), or what a making stage made. problem: why it could not be trained or
    may not be used, whatever the measure says.
    """

    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    windows: int = 0
    spent_s: float = 0.0
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class StageRecord:
    """A finished stage. `accepted` is None for a stage that makes and does not train."""

    stage: str
    measure: str
    before: float | None
    after: float | None
    steps: int
    windows: int
    minutes: float
    accepted: bool | None
    verdict: str
    all_before: dict[str, float] = field(default_factory=dict)
    all_after: dict[str, float] = field(default_factory=dict)

    def as_row(self) -> tuple[str, ...]:
        """One line of the table."""
        figures = ["" if value is None else f"{value:.4f}" for value in (self.before, self.after)]
        return (
            self.stage, self.measure, *figures, str(self.steps), str(self.windows), f"{self.minutes:.1f}", self.verdict
        )  # fmt: skip


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Written beside the target and swapped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".partial-{os.getpid()}")
    partial.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """What `write_json` wrote, None where nothing is; `BadInputError` for anything else."""
    if not path.exists():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInputError(
            f"{path} cannot be read ({error}); delete the folder {path.parent} to do the stage again"
        ) from error
    if not isinstance(value, dict):
        raise BadInputError(f"{path} holds no object; delete the folder {path.parent} to do the stage again")
    return value


def read_outcome(folder: Path) -> Outcome | None:
    """What a stage's work came to, if it is done."""
    found = read_json(folder / OUTCOME)
    return None if found is None else _as(Outcome, found, folder)


def read_record(folder: Path) -> StageRecord | None:
    """A finished stage's record, if it is finished."""
    found = read_json(folder / RECORD)
    return None if found is None else _as(StageRecord, found, folder)


def _as(kind: Any, found: dict[str, Any], folder: Path) -> Any:
    try:
        return kind(**found)
    except TypeError as error:
        raise BadInputError(
            f"{folder} was written by another release ({error}); delete it to do the stage again"
        ) from error


def write_record(folder: Path, record: StageRecord) -> None:
    """The stage is finished."""
    write_json(folder / RECORD, asdict(record))


def table(records: Sequence[StageRecord]) -> str:
    """The stages for a terminal."""
    rows = [HEAD, *(record.as_row() for record in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
