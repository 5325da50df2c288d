"""A clip on disk: open formats, equal lengths, and everything known about it."""

import argparse
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import soundfile

from engine.errors import BadInputError
from training.actor import cli
from training.actor.clip import Clip, make_clip, write_clip
from training.actor.state import STATE_CHANNELS, channel
from training.actor.voices import VoicePool


def _options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return parser.parse_args(["clip", *words])


def test_a_clip_is_written_whole(pool: VoicePool, tmp_path: Path) -> None:
    clip = make_clip(3, 30, "converse", pool, 96)
    paths = write_clip(clip, tmp_path / "clip")
    assert {path.name for path in paths} >= {"clip.mp4", "speak.wav", "listen.wav", "clip.json", "contact_sheet.png"}
    assert all(path.stat().st_size > 0 for path in paths)
    with av.open(str(tmp_path / "clip" / "clip.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 30
        assert film.streams.audio
    for name in ("speak", "listen"):
        sound, rate_hz = soundfile.read(tmp_path / "clip" / f"{name}.wav")
        assert rate_hz == 24_000 and len(sound) == 30_000
    record = json.loads((tmp_path / "clip" / "clip.json").read_text(encoding="utf-8"))
    assert record["state_channels"] == list(STATE_CHANNELS) and len(record["references"]) == 13
    assert np.allclose(record["state"], clip.performance.state_TK, atol=1e-4)
    assert len(record["keypoints"]) == len(record["viseme"]) == record["num_frames"] == 30
    assert all((tmp_path / "clip" / file).exists() for file in record["references"].values())
    sheet = cv2.imread(str(tmp_path / "clip" / "contact_sheet.png"))
    assert sheet is not None and sheet.std() > 10


def test_the_drawn_mouth_opens_with_the_state(pool: VoicePool) -> None:
    clip = make_clip(8, 72, "speak", pool, 96)
    opening = clip.performance.state_TK[:, channel("mouth_open")]
    gap = clip.keypoints_TP2[:, 4, 1] - clip.keypoints_TP2[:, 3, 1]
    assert np.corrcoef(opening, gap)[0, 1] > 0.8


def test_lengths_must_agree(pool: VoicePool) -> None:
    clip = make_clip(1, 4, "idle", pool, 64)
    with pytest.raises(ValueError, match="3 frames for a performance of 4"):
        Clip(
            performance=clip.performance,
            identity=clip.identity,
            frames_THWC=clip.frames_THWC[:3],
            references={},
            keypoints_TP2=clip.keypoints_TP2,
        )


def test_the_command_line_writes_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(_options("--seconds", "0.5", "--size", "64", "--kind", "idle", "-o", str(tmp_path / "out")))
    assert "12 frames" in capsys.readouterr().out and (tmp_path / "out" / "clip.mp4").exists()
    for words, complaint in ((["--seconds", "0"], "seconds"), (["--size", "7"], "size"), (["--seed", "-1"], "seed")):
        with pytest.raises(BadInputError, match=complaint):
            cli.run(_options(*words, "-o", str(tmp_path / "no")))
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInputError, match="is a file"):
        cli.run(_options("-o", str(tmp_path / "file")))
