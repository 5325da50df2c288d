"""The benchmark's report: figures with their intervals, floors, ceilings and bars; as JSON for checks, as a table for a person.

Called by the benchmark's command line. Knows nothing of how a figure was measured.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.media.files_to_write import check_files_to_write
from engine.media.whole_files import write_text_file
from training.bench.statistics import Estimate


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What a figure has to reach: no less than `least`, no more than `most`; None is no bound."""

    least: float | None = None
    most: float | None = None

    def __post_init__(self) -> None:
        if self.least is None and self.most is None:
            raise ValueError("a bar has a least, a most, or both")

    def is_reached_by(self, value: float) -> bool:
        """Whether a value is within the bounds."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            return f"{self.least:g} .. {self.most:g}"
        return f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured figure. `floor` is the regressor on the truth's own frames, `ceiling` on the truth through the pack's codec."""

    name: str
    title: str
    estimate: Estimate | None
    floor: float | None = None
    ceiling: float | None = None
    bar: Bar | None = None

    @property
    def is_reached(self) -> bool | None:
        """Whether the bar is reached; None without a bar, False where nothing could be measured."""
        if self.bar is None:
            return None
        return self.estimate is not None and self.bar.is_reached_by(self.estimate.value)

    def as_table(self) -> dict[str, object]:
        """The figure's part of the JSON report."""
        estimate = self.estimate
        return {
            "value": None if estimate is None else round(estimate.value, 4),
            "interval": None if estimate is None else [round(end, 4) for end in estimate.interval],
            "n": 0 if estimate is None else estimate.num_cases,
            "floor": None if self.floor is None else round(self.floor, 4),
            "ceiling": None if self.ceiling is None else round(self.ceiling, 4),
            "bar": None if self.bar is None else str(self.bar),
            "reached": self.is_reached,
        }


def figures_table(figures: list[Figure]) -> str:
    """The figures for a terminal, one line each."""
    lines = [f"{'':44} {'value':>7}  {'95 % interval':>16} {'n':>4} {'floor':>7} {'ceiling':>7}  {'bar':<10} reached"]
    lines += [_line(figure) for figure in figures]
    return "\n".join(lines)


def _line(figure: Figure) -> str:
    estimate = figure.estimate
    value = "-" if estimate is None else f"{estimate.value:.3f}"
    interval = "-" if estimate is None else f"{estimate.interval[0]:.3f} .. {estimate.interval[1]:.3f}"
    number = 0 if estimate is None else estimate.num_cases
    verdict = {None: "", True: "yes", False: "NO"}[figure.is_reached]
    bar = "" if figure.bar is None else str(figure.bar)
    beside = " ".join(f"{'-' if part is None else f'{part:.3f}':>7}" for part in (figure.floor, figure.ceiling))
    return f"{figure.title:44} {value:>7}  {interval:>16} {number:>4} {beside}  {bar:<10} {verdict}".rstrip()


def write_report(path: Path, report: Mapping[str, object]) -> None:
    """Write JSON whole or not at all."""
    write_text_file(path, json.dumps(report, indent=2) + "\n")


def check_report(report: Path | None, read: Iterable[Path | None], pictures: Path | None = None) -> None:
    """Refuse, before the work, a report (and pictures beside it) that could not be written or would replace what is `read`."""
    check_files_to_write({"--report": report, "the pictures of --report": pictures}, read, makes_folders=True)
