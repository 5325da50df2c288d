"""`lpm doctor`: what this machine has, what works, and the command that mends what does not. Called by `studio/cli.py`."""

import argparse
import json
import sys
from typing import Final

from studio.commandline.console import one_line, say
from studio.doctor.examination import can_make_films, examine_machine
from studio.doctor.findings import Finding, Status

_MARKS: Final = {Status.OK: "ok", Status.WARN: "warn", Status.MISSING: "missing"}
_COLOURS: Final = {Status.OK: "\x1b[32m", Status.WARN: "\x1b[33m", Status.MISSING: "\x1b[31m"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm doctor`."""
    parser.add_argument("--json", action="store_true", help="as JSON on standard output")


def run(options: argparse.Namespace) -> int:
    """Examine and tell; 1 only where something is missing without which no film can be made."""
    findings = examine_machine()
    works = can_make_films(findings)
    if options.json:
        say(json.dumps({"can_make_films": works, "findings": [_record(finding) for finding in findings]}, indent=2))
    else:
        _tell(findings, works)
    return 0 if works else 1


def _record(finding: Finding) -> dict[str, object]:
    return {"name": finding.name, "status": finding.status.value, "detail": finding.detail, "mend": finding.mend}


def _tell(findings: list[Finding], works: bool) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark = f"{_MARKS[finding.status]:<8}"
        if sys.stdout.isatty():
            mark = f"{_COLOURS[finding.status]}{mark}\x1b[0m"
        say(f"{mark} {finding.name:<{width}}  {one_line(finding.detail)}")
        if finding.mend:
            say(f"{'':<8} {'':<{width}}  -> {finding.mend}")
    say()
    say("Films can be made on this machine." if works else "Films cannot be made yet: mend what is missing above.")
