"""Metrics for TensorBoard, where it is installed (`pip install lpm-studio[training]`); the JSON lines are there in any case.

Called by the trainer's first process.
"""

import importlib.util
import logging
from pathlib import Path
from typing import Any, Protocol

logger = logging.getLogger(__name__)


class Board(Protocol):
    """Where scalars are shown."""

    def add(self, record: dict[str, Any]) -> None:
        """Every number of a record at its `step`."""


class NoBoard:
    """Shows nothing."""

    def add(self, record: dict[str, Any]) -> None:
        """Nothing."""


class TensorBoard:
    """Event files in `folder`; a resumed run hides what was recorded after the step it resumes from."""

    def __init__(self, folder: Path, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=first_step + 1)

    def add(self, record: dict[str, Any]) -> None:
        """Written through at once, so that a kill loses nothing."""
        for name, value in record.items():
            if name != "step" and isinstance(value, int | float):
                self._writer.add_scalar(name, value, record["step"])
        self._writer.flush()


def open_board(folder: Path, first_step: int) -> Board:
    """TensorBoard's event files, or nothing where it is not installed."""
    if importlib.util.find_spec("tensorboard") is None:
        return NoBoard()
    return TensorBoard(folder, first_step)
