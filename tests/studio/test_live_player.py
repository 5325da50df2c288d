"""A session in real time without a screen or a sound card: the film, the report, what goes wrong in one line."""

import json
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from engine import LiveFrame
from engine.errors import BadInputError
from engine.media.sound import read_sound, write_wav
from studio import cli
from studio.commandline.live import directions
from studio.live_player import FilmThread, LiveScript, _push, play
from tests.engine.online.small_online_pack import write_small_online_pack
from tests.engine.online.stand_in import stand_in_session


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LPM_HOME", str(tmp_path))
    write_small_online_pack(tmp_path / "models" / "small-online")
    write_wav(tmp_path / "voice.wav", 0.3 * np.sin(np.arange(12_000) * 0.2).astype(np.float32))
    return tmp_path


def test_every_frame_is_shown_once_and_sound_comes_in_at_its_time() -> None:
    frames: list[LiveFrame] = []
    voice_S = np.arange(1, 9001, dtype=np.float32)
    script = LiveScript(
        seconds=0.6,
        listen_S=np.ones(9600, np.float32),
        speak_S=voice_S,
        speak_at_s=0.05,
        prompt_at_s=((0.2, "nods"),),
    )
    with stand_in_session(2, split="pipeline", most_frames=6) as session:
        figures = play(session, script, frames.append, lambda done, total: None)
        assert session.report().shown_frames == 14
        assert session._conductor.direction.text == "nods"
        assert session._conductor.listen.end_frame > 0
    assert [frame.index for frame in frames] == list(range(14))
    assert len(figures.late_s) == 13
    assert figures.states[0] == (0, "warm-up")
    spoken_S = np.concatenate([frame.speak_S for frame in frames])
    spoken_S = spoken_S[spoken_S != 0]
    assert np.array_equal(spoken_S, voice_S[: len(spoken_S)])
    assert sum(float(frame.listen_S.sum()) for frame in frames) <= 9600


def test_what_is_due_comes_in_also_from_a_thread_that_is_late() -> None:
    ended, broken, failures = threading.Event(), threading.Event(), list[Exception]()
    ended.set()  # the last frame was shown before this thread had its turn
    began_s = time.perf_counter() - 5.0
    script = LiveScript(seconds=1.0, prompt_at_s=((0.5, "nods"), (600.0, "too late")))
    with stand_in_session(2) as session:
        _push(session, script, began_s, ended, broken, failures)
        assert session._conductor.direction.text == "nods"
        broken.set()
        _push(session, LiveScript(seconds=1.0, prompt_at_s=((0.5, "never"),)), began_s, ended, broken, failures)
        assert session._conductor.direction.text == "nods"
    assert not failures


def test_what_a_session_refuses_is_told() -> None:
    script = LiveScript(seconds=30.0, speak_S=np.zeros(24_000 * 500, np.float32))
    frames: list[LiveFrame] = []
    with stand_in_session(2, split="pipeline", most_frames=6) as session, pytest.raises(BadInputError, match="waiting"):
        play(session, script, frames.append, lambda done, total: None)
    assert len(frames) < 24


def test_a_film_that_is_not_committed_leaves_nothing(tmp_path: Path) -> None:
    picture: NDArray[np.uint8] = np.zeros((48, 48, 3), np.uint8)
    for commit in (False, True):
        film = FilmThread(tmp_path / "film.mp4", 48, has_partner=True)
        with stand_in_session(2) as session:
            frame = session.pull()
        assert frame is not None
        said_S = np.arange(1000, dtype=np.float32) / 1000
        shown = LiveFrame(**vars(frame) | {"picture_HWC": picture, "speak_S": said_S})
        for _ in range(20):
            film.append(shown)
        film.close(commit)
        assert (tmp_path / "film.mp4").exists() is commit
        assert np.array_equal(film.speak_S, np.tile(said_S, 20))
    with pytest.raises(BadInputError, match="does not exist"):
        FilmThread(tmp_path / "nowhere" / "film.mp4", 48, has_partner=False)


def test_lpm_live_writes_a_film_a_report_and_a_timeline(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["live", "--character", "maya", "--pack", "small-online", "--engine", "online", "--split", "pipeline"]
    words += ["--chunk", "2"]
    words += ["--mic", str(home / "voice.wav"), "--speak", str(home / "voice.wav"), "--speak-at", "0.3"]
    words += ["--interrupt-at", "0.6", "--direct-at", "0.4", "happy,  smiles", "--direct-at", "0.5", ""]
    words += ["--seconds", "1", "-o", str(home / "out.mp4")]
    words += ["--report", str(home / "out.json"), "--trace", str(home / "trace.json")]
    words += ["--speak-track", str(home / "said.wav"), "--light"]
    assert cli.main(words) == 0
    report = json.loads((home / "out.json").read_text())
    assert report["frames"] == 24
    assert report["engine"] == "online"
    assert report["chunk_frames"] == 8
    wanted = {"first_frame_s", "reaction_p95_s", "dropped_frames", "memory_growth", "chunk_ms_p50", "chunk_ms_p95"}
    assert wanted | {"real_time_factor", "peak_memory_mb", "stages_s", "seconds"} <= set(report)
    assert json.loads((home / "trace.json").read_text())["traceEvents"]
    with av.open(str(home / "out.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 24
    assert len(read_sound(home / "out.mp4")) == pytest.approx(24_000, abs=200)
    assert len(read_sound(home / "said.wav")) == 24_000
    assert "first frame after" in capsys.readouterr().out


def test_of_a_speech_longer_than_the_film_its_beginning_is_said(home: Path) -> None:
    write_wav(home / "long.wav", 0.3 * np.sin(np.arange(24_000 * 130) * 0.2).astype(np.float32))
    words = ["live", "--character", "maya", "--pack", "small-online", "--engine", "online", "--split", "pipeline"]
    words += ["--chunk", "2", "--speak", str(home / "long.wav"), "--speak-at", "0.2", "--seconds", "3"]
    assert cli.main([*words, "-o", str(home / "out.mp4"), "--speak-track", str(home / "said.wav")]) == 0
    assert np.abs(read_sound(home / "said.wav")).max() > 0.2


def test_directions_come_at_their_times() -> None:
    assert directions([["0.5", "happy,  smiles"], ["2", ""]]) == ((0.5, "happy, smiles"), (2.0, ""))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-o", "out.avi"], "end in .mp4"),
        (["-o", "nowhere/out.mp4"], "does not exist"),
        (["-o", "out.mp4", "--seconds", "nan"], "--seconds"),
        (["-o", "out.mp4", "--speak-at", "-1"], "--speak-at"),
        (["-o", "out.mp4", "--direct-at", "soon", "smiles"], "--direct-at takes seconds"),
        (["-o", "out.mp4", "--direct-at", "nan", "smiles"], "--direct-at: choose seconds"),
        (["-o", "out.mp4", "--direct-at", "1", "x" * 5000], "too long"),
        (["-o", "out.mp4", "--mic", "no.wav"], "no.wav"),
        (["-o", "out.mp4", "--say", "hello", "--speak", "voice.wav"], "choose one"),
        (["-o", "out.mp4", "--say", " "], "nothing to say"),
        (["-o", "out.mp4", "--chunk", "5", "--seconds", "1"], "choose 1 to 4"),
        (["-o", "out.mp4", "--chunk", "5", "--seconds", "1", "--engine", "online"], "choose 3, 2"),
    ],
)
def test_what_cannot_be_played_is_told_in_one_line(
    home: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    assert cli.main(["live", "--character", "maya", "--pack", "small-online", "--split", "pipeline", *words]) == 1
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not list(home.glob("*.mp4"))
