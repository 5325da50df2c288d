"""What `lpm` is told to write: never over what it reads, never two files in one place, and looked at before anything is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.locations import HOME_VARIABLE
from studio.cli import main
from tests.engine.test_characters import write_sample

ROOT = Path(__file__).resolve().parents[2]
INPUTS = ("voice.wav", "film.mp4", "first.png", "spans.json", "project.lpm")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A character, what may be a pack, and files to read; whoever loads any of it has not looked at the outputs before."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "own"))
    write_sample(tmp_path / "own" / "characters" / "ada")
    (tmp_path / "own" / "models" / "pack").mkdir(parents=True)
    for name in ("manifest.toml", "base.safetensors"):
        (tmp_path / "own" / "models" / "pack" / name).write_text(name)
    for name in INPUTS:
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


PERFORM = "perform --character ada --pack pack"
LIVE = "live --character ada --pack pack -o new.mp4"


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (f"{PERFORM} --speak film.mp4 -o film.mp4", "-o"),
        (f"{PERFORM} --listen film.mp4 -o ./film.mp4", "-o"),
        (f"{PERFORM} --speak voice.wav -o new.mp4 --report voice.wav", "--report"),
        (f"{PERFORM} --prompts spans.json -o new.mp4 --report spans.json", "--report"),
        (f"{PERFORM} --first-frame first.png -o new.mp4 --report first.png", "--report"),
        (f"{PERFORM} -o new.mp4 --report own/characters/ada/character.toml", "--report"),
        (f"{PERFORM} -o new.mp4 --report own/characters/ada/global.png", "--report"),
        (f"{PERFORM} -o new.mp4 --report own/models/pack/manifest.toml", "--report"),
        (f"{LIVE} --mic voice.wav --report voice.wav", "--report"),
        (f"{LIVE} --mic voice.wav --speak-track voice.wav", "--speak-track"),
        (f"{LIVE} --speak voice.wav --trace voice.wav", "--trace"),
        (f"{LIVE} --speak new.mp4 --trace own/models/pack/base.safetensors", "--trace"),
        ("render project.lpm -o new.mp4 --report project.lpm", "--report"),
        ("bench vae --pack pack --json own/models/pack/manifest.toml", "--json"),
        ("bench stream --character ada --pack pack --curves own/characters/ada/global.png", "--curves"),
        ("models forward pack --json own/models/pack/base.safetensors", "--json"),
    ],
)
def test_nothing_that_is_read_is_written_over(
    home: Path, capsys: pytest.CaptureFixture[str], words: str, option: str
) -> None:
    before = contents(home)
    assert main(words.split()) == 1
    told = capsys.readouterr().err
    assert (
        told.endswith(f": is read and would be overwritten; choose another name for {option}\n")
        and told.count("\n") == 1
    )
    assert contents(home) == before


@pytest.mark.parametrize(
    "words",
    [
        f"{PERFORM} -o new.mp4 --report new.mp4",
        f"{LIVE} --report new.json --trace ./new.json",
        f"{LIVE} --speak-track new.mp4",
        "render project.lpm -o new.mp4 --report new.mp4",
        "bench stream --character ada --pack pack --json new.jpg --curves new.jpg",
    ],
)
def test_two_files_are_not_written_to_one_place(home: Path, capsys: pytest.CaptureFixture[str], words: str) -> None:
    before = contents(home)
    assert main(words.split()) == 1
    told = capsys.readouterr().err
    assert "would both be written here" in told and told.count("\n") == 1
    assert contents(home) == before


@pytest.mark.parametrize("option", ["--report", "--trace", "--speak-track"])
def test_an_existing_file_that_is_not_read_may_be_replaced(
    home: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    assert main([*LIVE.split(), "--seed", "-1", option, "voice.wav"]) == 1
    assert "--seed -1" in capsys.readouterr().err


def test_a_character_is_checked_by_name_and_told_what_is_missing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["character", "check", "Ada"]) == 0
    assert "is complete" in capsys.readouterr().out
    (home / "own" / "characters" / "torn").mkdir()
    (home / "own" / "characters" / "torn" / "character.toml").write_text("name = [")
    for name, complaint in {
        "torn": "not valid TOML",
        ".": "character.toml is missing; see `lpm character list` for names, or make one",
        "nobody": "there is no such character or folder",
    }.items():
        assert main(["character", "check", name]) == 1
        told = capsys.readouterr().err
        assert complaint in told and told.count("\n") == 1


def test_a_character_that_cannot_be_read_gets_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_file = Path.is_file

    def refuse(path: Path) -> bool:
        if path.name == "character.toml":
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refuse)
    for words in ("character show ada", "character check ada", "perform --character own/characters/ada -o new.mp4"):
        assert main(words.split()) == 1
        told = capsys.readouterr().err
        assert "cannot be read (Permission denied); give yourself leave" in told and told.count("\n") == 1
    assert main(["character", "list"]) == 0


def test_a_character_is_said_to_feel_weaker_without_expressions_and_not_to_turn_without_views(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = home / "own" / "characters" / "ada" / "global.png"
    assert main(["character", "import", str(picture), "-o", "one"]) == 0
    told = capsys.readouterr().out
    assert "one: one, 1 picture\n" in told and "no expression pictures: feelings will be drawn weaker" in told
    assert main(["character", "check", "one"]) == 0
    told = capsys.readouterr().out
    assert "can perform; no expression pictures" in told and "complete" not in told
    assert "no views: it will not turn round" in told and "view-rear=PICTURE" in told
    assert main(["character", "import", str(picture), f"expression-happy={picture}", "-o", "two"]) == 0
    told = capsys.readouterr().out
    assert "two: two, 2 pictures\n" in told and "no views" in told and "no expression pictures" not in told
    views = [f"view-rear={picture}", f"expression-happy={picture}"]
    assert main(["character", "import", str(picture), *views, "-o", "three"]) == 0
    assert capsys.readouterr().out == "three: three, 3 pictures\n"
    assert main(["character", "list"]) == 0
    assert "1 view   1 expression  " in capsys.readouterr().out


def test_pictures_are_not_read_for_a_folder_that_is_taken(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["character", "import", "nowhere.png", "-o", "own"]) == 1
    assert "is there already and not empty" in capsys.readouterr().err


def test_help_says_how_prompts_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["perform", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert '[{"start_frame": 0, "end_frame": 48, "text": "smiles"}, {"start_s": 2,' in told
    assert "the directions are followed" in told and "in English or Chinese words for lpm-tiny" in told


def test_the_file_of_the_help_is_one(home: Path) -> None:
    from studio.commandline.perform import PROMPTS_FORMAT
    from studio.prompt_file import read_prompts

    lists = [line for line in PROMPTS_FORMAT.splitlines() if line.startswith("  [")]
    for text, num_spans in zip(lists, (2, 2), strict=True):
        (home / "help.json").write_text(text)
        assert len(read_prompts(home / "help.json", 250)) == num_spans


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("train", ["required: RECIPE\n"]),
        ("train --help", ["Train a component of a pack", "RECIPE [key=value ...]"]),
        ("actor --help", ["Draw clips and characters of the procedural actor."]),
    ],
)
def test_help_of_what_is_handed_over_says_what_it_is(words: str, parts: list[str]) -> None:
    command = [sys.executable, "-m", "training", *words.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    for part in parts:
        assert part in done.stdout + done.stderr
