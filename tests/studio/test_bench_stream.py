"""`lpm bench stream` from its words to its file: what is asked for is measured, what is left out is not, float32 is forced."""

import json
import os
from pathlib import Path

import pytest

from engine.benchmarks import stream as bench
from engine.media.pictures import read_picture
from engine.precision import FORMAT_VARIABLE
from studio import cli
from tests.engine.online.small_online_pack import write_small_online_pack


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(bench, "_MOST_SESSIONS", 0)
    monkeypatch.setenv("LPM_HOME", str(tmp_path))
    monkeypatch.setenv(FORMAT_VARIABLE, "")
    return write_small_online_pack(tmp_path / "models" / "small-online")


def test_a_light_float32_session_with_short_chunks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", "stream", "--pack", "small-online", "--minutes", "0.02", "--real-time", "0", "--reactions", "0"]
    words += ["--runs", "1", "--chunk", "2", "--float32", "--light", "--engine", "online"]
    words += ["--json", str(tmp_path / "out.json"), "--curves", str(tmp_path / "out.jpg")]
    assert cli.main(words) == 0
    figures = json.loads((tmp_path / "out.json").read_text())
    assert os.environ[FORMAT_VARIABLE] == "float32"
    assert figures["number_format"] == "cpu float32"
    assert figures["effort"] == "refiner at half resolution"
    assert figures["chunk_frames"] == 8
    assert "reaction" not in figures
    assert "not_measured" in figures["drift"]
    assert read_picture(tmp_path / "out.jpg").shape[1] == 720
    assert "memory" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "told"), [(["--reactions", "-1"], "0 or more"), (["--chunk", "5"], "choose 3, 2")])
def test_what_cannot_be_measured_is_one_line(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["bench", "stream", "--pack", "small-online", "--engine", "online", "--minutes", "0.02", *words]
    assert cli.main(asked) == 1
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
