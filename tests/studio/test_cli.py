"""`lpm` as a person uses it, with a real pack of the smallest size: films, bad input in one line, and Ctrl+C."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.character_writing import NewCharacter, NewReference, write_character
from engine.characters import Origin, ReferenceKind
from engine.locations import HOME_VARIABLE
from engine.media.film import FilmWriter
from engine.media.film_reading import probe_film, read_film_frames
from studio.cli import main
from tests.engine.media.hostile import eight_hours, hostile_sounds, huge_png
from tests.engine.small_pack import write_small_pack

ROOT = Path(__file__).resolve().parents[2]
FINISHED_PART = "[!.]*.safetensors"  # one in the making has a hidden name


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    (folder / "models" / "small").mkdir(parents=True)
    write_small_pack(folder / "models" / "small")
    grey_HWC = np.full((48, 48, 3), 120, np.uint8)
    reference = NewReference(kind=ReferenceKind.GLOBAL, subtype="", picture_HWC=grey_HWC)
    (folder / "characters").mkdir()
    write_character(
        folder / "characters" / "grey",
        NewCharacter(name="Grey", description="", origin=Origin.SYNTHETIC, consent="drawn", references=[reference]),
    )
    return folder


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(home))


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    path = tmp_path / "voice.wav"
    soundfile.write(path, np.sin(np.arange(40500) / 20) * 0.3, 24000)
    return path


@contextmanager
def running(command: list[str], stdin: int | None = None) -> Iterator["subprocess.Popen[str]"]:
    """A process that is killed at the end, also when the test fails."""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_files(process: "subprocess.Popen[str]", folder: Path, pattern: str, count: int) -> None:
    """Until the process has made so many, however slow the machine is."""
    while len(list(folder.glob(pattern))) < count:
        assert process.poll() is None, "the process ended before"
        time.sleep(0.05)


def perform(*words: str | Path) -> int:
    return main(["perform", "--character", "grey", "--pack", "small", *map(str, words)])


def test_a_film_is_as_long_as_its_sound_and_reported(tmp_path: Path, voice: Path) -> None:
    film, report = tmp_path / "film.mp4", tmp_path / "film.json"
    assert perform("--speak", voice, "--prompt", "smiles", "--seed", "3", "-o", film, "--report", report) == 0
    facts, figures = probe_film(film), json.loads(report.read_text())
    assert facts.num_frames == figures["frames"] == 41
    assert figures["seconds"] == pytest.approx(41 / 24, abs=1e-3)
    assert figures["real_time_factor"] > 0 and figures["peak_memory_mb"] > 50
    assert {"denoise", "decode", "write"} <= set(figures["stages_s"])
    assert figures["seed"] == 3 and figures["prompts"][0]["text"] == "smiles"


def test_seconds_first_frame_and_prompts_file(tmp_path: Path, home: Path) -> None:
    prompts = tmp_path / "p.json"
    prompts.write_text(
        '[{"start_frame": 0, "end_frame": 6, "text": "nods"}, {"start_s": 0.25, "end_s": 0.5, "text": "smiles"}]'
    )
    first = home / "characters" / "grey" / "global.png"
    film = tmp_path / "idle.mp4"
    words = (
        "--seconds",
        "0.5",
        "--prompts",
        prompts,
        "--first-frame",
        first,
        "--steps",
        "1",
        "--speak-scale",
        "2",
        "-o",
        film,
    )
    assert perform(*words) == 0
    assert probe_film(film).num_frames == 12


def test_the_same_seed_is_the_same_film(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert perform("--seconds", "0.5", "--seed", str(seed), "-o", tmp_path / f"{name}.mp4") == 0
    films = {name: np.stack(list(read_film_frames(tmp_path / f"{name}.mp4"))) for name in "abc"}
    np.testing.assert_array_equal(films["a"], films["b"])
    assert np.abs(films["a"].astype(int) - films["c"]).max() > 2


def test_directions_in_turn_and_mutes(tmp_path: Path, voice: Path) -> None:
    report = tmp_path / "film.json"
    words = ("--prompt", "smiles", "--prompt", "nods", "--mute-speak", "0.5-1", "--mute-listen", "1-2")
    assert perform("--seconds", "5.5", *words, "-o", tmp_path / "film.mp4", "--report", report, "--steps", "1") == 0
    figures = json.loads(report.read_text())
    assert [(p["start_frame"], p["end_frame"]) for p in figures["prompts"]] == [(0, 125), (125, 132)]
    assert figures["mutes"][0] == {"track": "speak", "start_frame": 12, "end_frame": 24}
    assert figures["seams"]["joins"] > 5 and figures["join_frames"][0] == 16
    assert figures["guidance_branches"] == 1 and figures["memory_mb"]["last"] > 50


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The pixels that go into films from here on, one entry each film: the encoder is not what is tested."""
    films: list[bytes] = []
    append, commit = FilmWriter.append, FilmWriter.commit
    frames: list[bytes] = []

    def keep(self: FilmWriter, frames_THWC: NDArray[np.uint8]) -> None:
        frames.append(frames_THWC.tobytes())
        append(self, frames_THWC)

    def close(self: FilmWriter) -> None:
        films.append(b"".join(frames))
        frames.clear()
        commit(self)

    monkeypatch.setattr(FilmWriter, "append", keep)
    monkeypatch.setattr(FilmWriter, "commit", close)
    return films


def test_a_change_reuses_what_it_does_not_reach(tmp_path: Path, written: list[bytes]) -> None:
    report = tmp_path / "film.json"
    common = ("--seconds", "2", "--work", tmp_path / "parts", "-o", tmp_path / "film.mp4", "--report", report)
    changed = tmp_path / "later.json"
    changed.write_text('[{"start_s": 1, "end_s": 2, "text": "nods"}]')
    counts = []
    for words in ((), ("--resume",), (), ("--resume", "--prompts", changed), ("--prompts", changed)):
        assert perform(*common, *words) == 0
        counts.append((json.loads(report.read_text())["windows"], written[-1]))
    (first, film), (second, again), (third, _), (fourth, edited), (_, edited_anew) = counts
    assert first == third == {"made": first["made"], "reused": 0}
    assert second == {"made": 0, "reused": first["made"]} and again == film
    assert fourth["made"] > 0 and fourth["reused"] > 0
    assert edited == edited_anew != film


def test_a_killed_film_goes_on_from_its_last_part(tmp_path: Path, written: list[bytes]) -> None:
    film, parts, report = tmp_path / "film.mp4", tmp_path / "parts", tmp_path / "film.json"
    words = ["--character", "grey", "--pack", "small", "--seconds", "600", "--work", str(parts), "-o", str(film)]
    command = [sys.executable, "-m", "studio.cli", "perform", *words]
    with running(command) as process:
        wait_for_files(process, parts, FINISHED_PART, 3)
    assert not film.exists()
    num_parts = len(list(parts.glob(FINISHED_PART)))
    short = ["--character", "grey", "--pack", "small", "--seconds", "2", "--work", str(parts), "-o", str(film)]
    assert main(["perform", *short, "--resume", "--report", str(report)]) == 0
    assert json.loads(report.read_text())["windows"]["reused"] == min(num_parts, 4)
    assert main(["perform", *short]) == 0
    assert written[0] == written[1]


def test_bad_sounds_get_one_line_and_leave_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sounds = hostile_sounds(tmp_path) | {
        "missing": tmp_path / "missing.wav",
        "eight hours": eight_hours(tmp_path / "night.flac"),
        "two\nlines": tmp_path / "two\nlines.wav",
    }
    before = sorted(tmp_path.iterdir())
    for name, path in sounds.items():
        for track in ("--speak", "--listen"):
            assert perform(track, path, "-o", tmp_path / "film.mp4") == 1, name
            written = capsys.readouterr().err
            assert written.startswith("lpm: ") and written.count("\n") == 1, written
    assert sorted(tmp_path.iterdir()) == before


def test_other_bad_input_gets_one_line(tmp_path: Path, voice: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "no-global").mkdir()
    (tmp_path / "no-global" / "character.toml").write_text('name = "A"')
    (tmp_path / "bad.json").write_text('[{"start_frame": 0, "end_frame": 9999, "text": "x"}]')
    film = tmp_path / "film.mp4"
    cases = {
        "0 global pictures": ["--character", tmp_path / "no-global", "-o", film],
        "no such character": ["--character", "nobody", "-o", film],
        "20000 x 20000": ["--first-frame", huge_png(tmp_path / "huge.png"), "-o", film],
        "small has no causal models": ["--engine", "online", "-o", film],
        "known packs": ["--pack", "nothing", "-o", film],
        "name end in .mp4": ["-o", tmp_path / "film.avi"],
        "does not exist": ["-o", tmp_path / "nowhere" / "film.mp4"],
        "--seconds nan": ["--seconds", "nan", "-o", film],
        "--seconds -1": ["--seconds", "-1", "-o", film],
        "--seed -1": ["--seed", "-1", "-o", film],
        "--steps 0": ["--steps", "0", "-o", film],
        "--mute-speak 3-2": ["--mute-speak", "3-2", "-o", film],
        "--mute-listen a": ["--mute-listen", "a", "-o", film],
        "do not fit": ["--seconds", "3", "--prompt", "a", "--prompt", "b", "-o", film],
        "finished parts cannot be kept": ["--work", voice, "-o", film],
        "frames 0..9999": ["--speak", voice, "--prompts", tmp_path / "bad.json", "-o", film],
        "not valid JSON": ["--prompts", voice, "-o", film],
    }
    for complaint, words in cases.items():
        assert perform(*words) == 1, complaint
        written = capsys.readouterr().err
        assert complaint in written and written.count("\n") == 1, (complaint, written)
    assert not list(tmp_path.glob("*.mp4")) and not list(tmp_path.glob(".*"))


def test_wrong_usage_is_status_two() -> None:
    for words in (["dance"], ["perform"], ["perform", "--prompt", "a", "--prompts", "b"], []):
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    film = tmp_path / "film.mp4"
    # A shell that starts us in the background has interrupts ignored, and children inherit that.
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    program += "from studio.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", program, "perform", "--character", "grey", "--pack", "small"]
    command += ["--seconds", "600", "-o", str(film)]
    with running(command) as process:
        wait_for_files(process, tmp_path, ".film.partial-*.mp4", 1)
        process.send_signal(number)
        told, written = process.communicate()
    assert process.returncode == 130
    assert written == "lpm: stopped; no half-made file stands under its final name\n"
    assert "--resume goes on" in told or not told
    assert not list(tmp_path.iterdir())


def test_characters_on_the_command_line(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = home / "characters" / "grey" / "global.png"
    folder = tmp_path / "mine"
    assert (
        main(["character", "import", str(picture), f"expression-happy={picture}", "-o", str(folder), "--name", "Me"])
        == 0
    )
    assert main(["character", "check", str(folder)]) == 0
    assert main(["character", "show", str(folder)]) == 0
    assert "expression   happy" in capsys.readouterr().out
    assert main(["character", "list"]) == 0
    assert "grey" in capsys.readouterr().out
    assert main(["character", "import", str(picture), f"view-above={picture}", "-o", str(tmp_path / "no")]) == 1
    assert main(["character", "check", str(tmp_path)]) == 1
    assert not (tmp_path / "no").exists()


def test_a_new_character_is_drawn_by_the_training_in_its_own_process(tmp_path: Path) -> None:
    assert main(["character", "new", "--seed", "5", "--name", "Fay", "-o", str(tmp_path / "fay")]) == 0
    assert main(["character", "check", str(tmp_path / "fay")]) == 0
    assert main(["character", "new", "--seed", "-5", "-o", str(tmp_path / "other")]) == 1


def test_models_are_listed_verified_and_described(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    assert "small" in capsys.readouterr().out
    assert main(["models", "verify", "small"]) == 0
    capsys.readouterr()
    assert main(["models", "info", "small", "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["parameters"]["total"] == sum(count for part, count in info["parameters"].items() if part != "total")
    assert info["flops_per_forward"] > 2 * info["parameters"]["base"]
    weights = home / "models" / "small" / "base.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        assert main(["models", "verify", "small"]) == 1
        assert "damaged" in capsys.readouterr().err
    finally:
        weights.write_bytes(content)


def test_listing_characters_does_not_wait_for_torch() -> None:
    script = "import sys; from studio.cli import main; main(['character', 'list']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(("has_terminal", "processes"), [(False, 1), (True, 1), (False, 2)])
def test_a_polite_kill_stops_a_training_that_a_shell_started_in_the_background(
    tmp_path: Path, has_terminal: bool, processes: int
) -> None:
    """Such a process ignores Ctrl+C, and so does what it starts; it may have the shell's terminal for its input or not."""
    ignored = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    program = ignored + "from studio.cli import main; raise SystemExit(main())"
    settings = ["num_steps=100000", "report_each_steps=1"]
    command = [sys.executable, "-c", program, "train", "tiny-text-encoder", *settings, "-o", str(tmp_path)]
    command += ["--processes", str(processes)]
    terminal, input_end = os.openpty() if has_terminal else os.pipe()
    try:
        with running(command, stdin=input_end if has_terminal else terminal) as process:
            assert process.stdout is not None and process.stdout.readline().startswith("step 1 ")
            process.send_signal(signal.SIGTERM)
            _, written = process.communicate()
    finally:
        os.close(terminal)
        os.close(input_end)
    assert process.returncode == 1
    assert "resumes from its last checkpoint" in written
