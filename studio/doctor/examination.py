"""The whole examination: every subject in order. A subject that fails is a finding itself, so the doctor always finishes."""

import logging
from collections.abc import Callable, Iterator

from studio.doctor import content, machine, media
from studio.doctor.findings import Finding, Status

_log = logging.getLogger(__name__)

Subject = Callable[[], Iterator[Finding]]
SUBJECTS: tuple[tuple[str, Subject], ...] = (
    ("Machine", machine.examine),
    ("Picture and sound", media.examine),
    ("Models and characters", content.examine),
)


def examine_machine(subjects: tuple[tuple[str, Subject], ...] = SUBJECTS) -> list[Finding]:
    """Every finding, in the order they are shown."""
    findings: list[Finding] = []
    for title, examine in subjects:
        try:
            findings.extend(examine())
        except Exception as error:  # whatever is broken on this machine, a person wants to read the rest
            _log.debug("%s cannot be examined", title, exc_info=True)
            detail = f"cannot be examined: {type(error).__name__}: {error}"
            findings.append(Finding(name=title, status=Status.WARN, detail=detail))
    return findings


def can_make_films(findings: list[Finding]) -> bool:
    """Whether everything is here that a film needs."""
    return not any(finding.is_essential and finding.status is Status.MISSING for finding in findings)
