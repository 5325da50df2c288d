"""What a plan ends with: a pack that is made to perform, a report and a table."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.packs import Manifest, read_manifest
from tests.engine.small_pack import write_small_pack
from training.plans import cli, proof
from training.plans.conductor import PlanRun
from training.plans.plan import Plan
from training.plans.records import StageRecord
from training.plans.tiny import TINY


def small_pack(folders: list[Path], output: Path, name: str, version: str) -> Manifest:
    output.mkdir()
    return read_manifest(write_small_pack(output))


def asked(output: Path, *, as_json: bool) -> cli.PlanAsked:
    return cli.PlanAsked(
        name="tiny", output=output, minutes=1.0, parts=output, clips=None, start_from=None, is_anew=False, num_processes=1,
        device_type="cpu", as_json=as_json,
    )  # fmt: skip


def record(stage: str, accepted: bool | None, verdict: str) -> StageRecord:
    return StageRecord(
        stage=stage, measure="held_out_distance", before=2.0, after=1.5, steps=5, windows=40, minutes=0.5, accepted=accepted,
        verdict=verdict,
    )  # fmt: skip


@pytest.mark.parametrize("as_json", [False, True])
def test_a_plan_ends_with_a_pack_that_performs_and_says_what_was_rejected(
    as_json: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "build_pack", small_pack)
    monkeypatch.setattr(proof, "NUM_FRAMES", 26)
    output = tmp_path / "made"
    output.mkdir()
    plan = Plan(name="tiny", given=(), stages=TINY.stages[:2])
    run = PlanRun(plan=plan, output=output, minutes=1.0, parts=tmp_path, as_json=as_json)
    records = [record("base", True, "taken on"), record("ode", False, "rejected: stills")]
    cli.finish(run, records, asked(output, as_json=as_json))
    report: dict[str, Any] = json.loads((output / "report.json").read_text())
    assert report["minutes_spent"] == 1.0
    assert [stage["accepted"] for stage in report["stages"]] == [True, False]
    assert report["pack"]["name"] == "small"
    assert report["pack"]["frames"] == 26
    assert (output / "film.mp4").stat().st_size > 500
    assert (output / "live.mp4").stat().st_size > 500
    said = capsys.readouterr().out
    if as_json:
        assert json.loads(said)["report"] == report
    else:
        assert "not taken on, because they did not beat where they began: ode" in said
        assert "made/pack performs: 26 frames" in said
