"""The doctor always finishes, says how to mend what is not well, and knows what is essential."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.locations import HOME_VARIABLE
from studio.cli import main
from studio.doctor import content
from studio.doctor.examination import can_make_films, examine_machine
from studio.doctor.findings import Finding, Status
from tests.engine.small_pack import write_small_pack


def test_every_subject_is_found_and_every_fault_can_be_mended(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--json"])
    told = json.loads(capsys.readouterr().out)
    names = [finding["name"] for finding in told["findings"]]
    for name in (
        "Processor",
        "Memory",
        "Film pictures",
        "Film sound",
        "Sound devices",
        "Window",
        "Screen",
        "Characters",
    ):
        assert name in names
    for finding in told["findings"]:
        assert finding["detail"]
        assert finding["status"] != "missing" or finding["mend"], finding


def test_lines_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("ok ", "warn ", "missing "))]
    starts = {line[9:].index("  ") for line in lines if len(line[9:].split("  ")[0]) == len("Picture and sound")}
    assert lines and len(starts) <= 1


def test_a_subject_that_fails_is_a_finding() -> None:
    def broken() -> Iterator[Finding]:
        raise RuntimeError("the driver is on fire")
        yield

    findings = examine_machine((("Ovens", broken),))
    assert [finding.status for finding in findings] == [Status.WARN]
    assert "the driver is on fire" in findings[0].detail


def test_without_a_pack_no_film_and_a_damaged_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setattr("engine.locations.assets_dir", lambda: tmp_path / "none")
    assert not can_make_films(list(content.examine()))
    folder = tmp_path / "models" / "small"
    folder.mkdir(parents=True)
    write_small_pack(folder)
    assert can_make_films(list(content.examine()))
    with (folder / "base.safetensors").open("ab") as file:
        file.write(b"x")
    damaged = next(finding for finding in content.examine() if finding.name == "Model pack")
    assert damaged.status is not Status.OK and "base.safetensors" in damaged.detail
    assert not can_make_films(list(content.examine()))
