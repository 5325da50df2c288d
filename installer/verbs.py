"""What can be asked of a checkout: run, test, test-long, bench, format. Each begins by bringing the environment up to date.

Called by the bootstrap, after it has made sure of the Python version. Standard library only.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from console import SetupError, elapsed, has_screen, run_visibly, say
from environment import ROOT, child_environment, prepare, venv_program

RENDERS = ROOT / "renders"
BENCH_RESULTS = ROOT / "runs" / "bench"
MAX_TEST_PROCESSES = 8


@dataclass(frozen=True, kw_only=True)
class Check:
    """One program that must succeed, and what it looks after."""

    title: str
    program: str
    arguments: tuple[str, ...]

    @property
    def command(self) -> list[str]:
        """The whole command line, in the virtual environment."""
        return [str(venv_program(self.program)), *self.arguments]


STATIC_CHECKS = (
    Check(title="format", program="ruff", arguments=("format", "--check", ".")),
    Check(title="lint", program="ruff", arguments=("check", "--quiet", ".")),
    Check(title="types", program="mypy", arguments=("--no-error-summary",)),
    Check(title="import directions", program="lint-imports", arguments=()),
)


def main(arguments: Sequence[str]) -> int:
    """Do one verb and return the exit status."""
    parser = argparse.ArgumentParser(prog="bootstrap.py", description="Set LPM Studio up, then do one thing with it.")
    verbs = {
        "run": (_run, "open the studio on the sample project; without a screen, render it to an MP4"),
        "test": (_test, "all checks: format, lint, types, import directions, house rules and tests"),
        "test-long": (_test_long, "the tests that take minutes each"),
        "bench": (_bench, "measure the speed of this machine"),
        "format": (_format, "put the source into the house's format"),
        "setup": (_nothing, "set up only"),
    }
    commands = parser.add_subparsers(dest="verb", required=True)
    for name, (_, purpose) in verbs.items():
        commands.add_parser(name, help=purpose)
    verb = parser.parse_args(arguments).verb
    try:
        prepare()
        return verbs[verb][0]()
    except SetupError as error:
        say(f"Stopped: {error}")
        return 1
    except KeyboardInterrupt:
        say("Stopped.")
        return 130


def _nothing() -> int:
    return 0


def _lpm(*arguments: str) -> int:
    return run_visibly([str(venv_program("lpm")), *arguments], child_environment(), ROOT)


def sample_project() -> Path:
    """The project that ships with the studio."""
    projects = sorted((ROOT / "assets" / "projects").glob("*.lpm"))
    if not projects:
        raise SetupError(
            "The sample project is missing from assets/projects; is this checkout complete? Try: git status"
        )
    return projects[0]


def _run() -> int:
    project = sample_project()
    if has_screen():
        say(f"Opening the studio on {project.name}")
        return _lpm("studio", str(project))
    film = RENDERS / f"{project.stem}.mp4"
    film.parent.mkdir(exist_ok=True)
    say(f"There is no screen here: rendering {project.name} to a film instead")
    status = _lpm("render", str(project), "-o", str(film))
    if status == 0:
        say(f"The film is at {film}")
    return status


def _test() -> int:
    started_s = time.monotonic()
    failed = [check.title for check in STATIC_CHECKS if not _passes(check)]
    if _pytest("-n", str(_num_test_processes()), "--dist", "worksteal", "--durations", "5") != 0:
        failed.append("tests")
    if failed:
        say(f"Not well: {', '.join(failed)} ({elapsed(started_s)}).")
        return 1
    say(f"All is well ({elapsed(started_s)}).")
    return 0


def _passes(check: Check) -> bool:
    say(f"Checking {check.title}")
    return run_visibly(check.command, child_environment(), ROOT) == 0


def _test_long() -> int:
    return _pytest("-m", "long")


def _pytest(*arguments: str) -> int:
    """Run pytest as on a machine without a screen, one thread a process: two threads a process fight over two cores."""
    say("Running the tests")
    with tempfile.TemporaryDirectory(prefix="lpm-test-home-") as home:
        environment = child_environment(
            QT_QPA_PLATFORM="offscreen", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", LPM_HOME=home
        )
        return run_visibly([str(venv_program("python")), "-m", "pytest", *arguments], environment, ROOT)


def _num_test_processes() -> int:
    return max(1, min(MAX_TEST_PROCESSES, os.cpu_count() or 1))


def _bench() -> int:
    BENCH_RESULTS.mkdir(parents=True, exist_ok=True)
    failed = 0
    for what in ("vae", "engine"):
        report = BENCH_RESULTS / f"{what}.json"
        say(f"Measuring: {what}")
        failed |= _lpm("bench", what, "--json", str(report))
        say(f"Written to {report}")
    return 1 if failed else 0


def _format() -> int:
    ruff = str(venv_program("ruff"))
    fixed = run_visibly([ruff, "check", "--fix", "."], child_environment(), ROOT)
    formatted = run_visibly([ruff, "format", "."], child_environment(), ROOT)
    return fixed or formatted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
