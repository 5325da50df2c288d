"""What one look at the machine gives: a name, how it stands, a detail, and the command that mends it."""

import sys
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a finding stands: `warn` works with less, `missing` does not work at all."""

    OK = "ok"
    WARN = "warn"
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the doctor. `is_essential`: without it no film can be made."""

    name: str
    status: Status
    detail: str
    mend: str = ""
    is_essential: bool = False


def found(name: str, detail: str, *, is_essential: bool = False) -> Finding:
    """Something that is there and works."""
    return Finding(name=name, status=Status.OK, detail=detail, is_essential=is_essential)


def system_package(debian: str, otherwise: str) -> str:
    """The command that installs a system library here: apt on Linux, advice in words elsewhere."""
    return f"sudo apt-get install {debian}" if sys.platform.startswith("linux") else otherwise
