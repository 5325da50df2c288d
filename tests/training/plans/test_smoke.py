"""`lpm train tiny --minutes 5`, the real thing: from clips to a pack that performs, killed once on its way."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.loaded_pack import load_pack
from engine.packs import save_weights
from engine.posing.paint import Paint
from engine.posing.retouch import Retouch
from training.plans.tiny import TINY
from training.recipes import parts
from training.recipes.places import DEFAULT_PARTS

ROOT = Path(__file__).parents[3]


def whole_parts(folder: Path) -> Path:
    """The shipped parts; beside older ones, which painted or retouched nothing, networks that were not trained."""
    shutil.copytree(DEFAULT_PARTS, folder)
    if not (folder / parts.PAINT_FILE).is_file():
        save_weights(folder / parts.PAINT_FILE, Paint(parts.PAINT))
    if not (folder / parts.RETOUCH_FILE).is_file():
        save_weights(folder / parts.RETOUCH_FILE, Retouch(parts.RETOUCH))
    return folder


def start(folder: Path, given: Path) -> "subprocess.Popen[str]":
    words = ["train", "tiny", "--minutes", "5", "--processes", "2", "--json", "--parts", str(given), "-o", str(folder)]
    return subprocess.Popen(
        [sys.executable, "-m", "training", *words],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.long
def test_five_minutes_end_with_a_pack_that_performs(tmp_path: Path) -> None:
    given = whole_parts(tmp_path / "given")
    with start(tmp_path, given) as process:
        while process.poll() is None and not (tmp_path / "stages" / "05-base" / "before.json").exists():
            time.sleep(0.5)
        process.kill()
    clips = (tmp_path / "stages" / "01-clips" / "record.json").stat().st_mtime_ns
    with start(tmp_path, given) as process:
        assert process.stdout is not None
        lines = [json.loads(line) for line in process.stdout]
        assert process.wait() == 0
    assert (tmp_path / "stages" / "01-clips" / "record.json").stat().st_mtime_ns == clips, "a finished stage is kept"
    report = lines[-1]["report"]
    assert report == json.loads((tmp_path / "report.json").read_text())
    assert [stage["stage"] for stage in report["stages"]] == [stage.name for stage in TINY.stages]
    for stage in report["stages"]:
        if stage["accepted"]:
            assert stage["after"] != stage["before"]
        elif stage["accepted"] is False:
            assert stage["verdict"].startswith("rejected: ")
    # What is counted may go over by a step or a shard a stage, and by no more.
    assert report["minutes_spent"] < 10
    assert report["pack"]["frames"] == 36
    pack = load_pack(tmp_path / "pack")
    assert pack.online is not None
    assert pack.motion is not None
    assert pack.retouch is not None
    assert (tmp_path / "film.mp4").stat().st_size > 1000
    assert (tmp_path / "live.mp4").stat().st_size > 1000
