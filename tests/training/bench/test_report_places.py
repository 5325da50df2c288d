"""Where a report or a run is to go is looked at before anything is read, drawn or trained."""

import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

from engine.locations import HOME_VARIABLE
from tests.engine.test_characters import write_sample
from training import cli as train_cli
from training.__main__ import main
from training.actor import cli as actor_cli
from training.bench import cli, long_form_cli, pictures_cli, reference_ablation_cli

EVALUATIONS = {
    "quick": "evaluate quick --pack pack --report {}",
    "speech": "evaluate speech film.mp4 voice.wav --wrong other.wav --report {}",
    "drift": "evaluate drift --pack pack --character ada --report {}",
    "seams": "evaluate seams film.mp4 --joins joins.json --report {}",
    "pictures": "evaluate pictures pictures --character ada --report {}",
    "references": "evaluate references --pack pack --report {}",
    "results": "results dpo run -o {}",
}
READ = {
    "quick": ("own/models/pack/manifest.toml", "own/models/pack/base.safetensors"),
    "speech": ("film.mp4", "voice.wav", "other.wav"),
    "drift": ("own/models/pack/manifest.toml", "own/characters/ada/character.toml"),
    "seams": ("film.mp4", "joins.json"),
    "pictures": ("pictures/1.png", "own/characters/ada/global.png"),
    "references": ("own/models/pack/manifest.toml",),
    "results": ("run/report.json",),
}


def work(*words: object, **named: object) -> NoReturn:
    raise AssertionError("work was begun for nothing")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "own"))
    monkeypatch.chdir(tmp_path)
    write_sample(tmp_path / "own" / "characters" / "ada")
    files = {path for paths in READ.values() for path in paths if not path.startswith("own/characters")}
    for path in sorted(files):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    monkeypatch.setattr(cli, "load_regressor", work)
    monkeypatch.setattr(pictures_cli, "load_regressor", work)
    monkeypatch.setattr(reference_ablation_cli, "load_regressor", work)
    monkeypatch.setattr(reference_ablation_cli, "load_trait_reader", work)
    monkeypatch.setattr(long_form_cli, "read_joins", work)
    monkeypatch.setattr(long_form_cli, "keep_freed_memory", work)
    monkeypatch.setattr(train_cli, "run_processes", work)
    monkeypatch.setattr(train_cli, "run_plan", work)
    monkeypatch.setattr(actor_cli, "make_clip", work)
    return tmp_path


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusal(home: Path, capsys: pytest.CaptureFixture[str], words: str) -> str:
    """The one line in which words are refused, nothing having changed."""
    before = contents(home)
    assert main(words.split()) == 1, words
    told = capsys.readouterr().err
    assert told.startswith("lpm: ") and told.count("\n") == 1, told
    assert contents(home) == before
    return told


@pytest.mark.parametrize("name", EVALUATIONS)
def test_a_report_never_replaces_what_it_is_about(home: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    for path in READ[name]:
        assert "is read and would be overwritten" in refusal(home, capsys, EVALUATIONS[name].format(path)), path


@pytest.mark.parametrize("name", EVALUATIONS)
def test_a_place_that_takes_no_report_is_told_before_the_work(
    home: Path, capsys: pytest.CaptureFixture[str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "this is a folder" in refusal(home, capsys, EVALUATIONS[name].format("own"))
    assert "is no folder" in refusal(home, capsys, EVALUATIONS[name].format("film.mp4/below/report.json"))

    def refuse(*words: object, **named: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    for place in ("report.json", "nowhere/report.json"):
        assert "(Permission denied); choose a folder in which" in refusal(home, capsys, EVALUATIONS[name].format(place))


def test_a_report_is_not_written_where_its_pictures_go(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, report in (("quick", "sheet.png"), ("references", "sheet.jpg")):
        assert "would both be written here" in refusal(home, capsys, EVALUATIONS[name].format(report))
    drift = "evaluate drift --pack pack --character ada --report a.mp4 --film a.mp4"
    assert "would both be written here" in refusal(home, capsys, drift)


def test_a_run_goes_into_no_pack_and_no_folder_that_it_reads(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = "train fine-tune --parts own/models/pack --clips pictures"
    assert "is a model pack, whose weights would be overwritten" in refusal(home, capsys, f"{train} -o own/models/pack")
    assert "is read and would be overwritten" in refusal(home, capsys, f"{train} --start-from run -o ./run")
    for words in (train, "train tiny"):
        assert "is no folder" in refusal(home, capsys, f"{words} -o film.mp4")


def test_a_run_that_cannot_be_kept_is_told_before_anything_is_measured(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**words: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    for words in (
        "train fine-tune -o new",
        "train tiny -o new",
        "evaluate train-regressor -o new",
        "data clips -o new",
    ):
        assert "cannot be written (Permission denied)" in refusal(home, capsys, words)


def test_what_an_old_pack_lacks_may_be_trained_into_it(home: Path) -> None:
    with pytest.raises(AssertionError, match="for nothing"):
        main(["train", "tiny-posing", "-o", "own/models/pack"])
    (home / "own" / "models" / "pack" / "posing.safetensors").write_text("there")
    assert main(["train", "tiny-posing", "-o", "own/models/pack"]) == 1


def test_a_clip_is_drawn_into_a_new_folder(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "pictures: is there already and not empty" in refusal(home, capsys, "actor clip -o pictures")
    assert "is there already and not empty" in refusal(home, capsys, "actor character --seed 1 -o pictures")
