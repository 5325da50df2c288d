"""Progress of a run on standard output: a record a line, for a person or as JSON."""

import json
import sys
from typing import Any


def print_json(record: dict[str, Any]) -> None:
    """One JSON line, at once."""
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


def print_line(record: dict[str, Any]) -> None:
    """One readable line, at once."""
    parts = [f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in record.items()]
    sys.stdout.write("  ".join(parts) + "\n")
    sys.stdout.flush()


def print_text(text: str) -> None:
    """Lines as they are, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
