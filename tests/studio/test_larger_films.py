"""Packs whose films are larger than they are decoded, as a person uses them: every command writes films of that size and says so."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.character_writing import NewCharacter, NewReference, write_character
from engine.characters import Origin, ReferenceKind
from engine.locations import HOME_VARIABLE
from engine.media.film_reading import probe_film
from engine.precision import FORMAT_VARIABLE
from studio.cli import main
from studio.project.store import ProjectStore
from tests.engine.online.small_online_pack import write_small_retouched_pack
from tests.engine.small_pack import SIZE_PX, large_character, with_film_px

FILM_PX = 2 * SIZE_PX


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    with_film_px(write_small_retouched_pack(tmp_path / "models" / "larger"), FILM_PX)
    picture_HWC = large_character().global_picture_HWC
    reference = NewReference(kind=ReferenceKind.GLOBAL, subtype="", picture_HWC=picture_HWC)
    (tmp_path / "characters").mkdir()
    write_character(
        tmp_path / "characters" / "squares",
        NewCharacter(name="Squares", description="", origin=Origin.SYNTHETIC, consent="drawn", references=[reference]),
    )
    return tmp_path


def made(home: Path, *words: str | Path) -> tuple[Path, dict[str, Any]]:
    """The film of a command, and what its report says."""
    film, report = home / "film.mp4", home / "film.json"
    assert main([*map(str, words), "--pack", "larger", "-o", str(film), "--report", str(report)]) == 0
    return film, json.loads(report.read_text())


@pytest.mark.parametrize("engine", ["base", "online"])
def test_a_film_is_written_as_large_as_it_is_shown(home: Path, engine: str) -> None:
    film, figures = made(home, "perform", "--character", "squares", "--engine", engine, "--seconds", "0.5")
    facts = probe_film(film)
    assert (facts.width_px, facts.height_px, facts.num_frames) == (FILM_PX, FILM_PX, 12)
    assert figures["size_px"] == FILM_PX


@pytest.mark.parametrize("engine", ["base", "online"])
@pytest.mark.parametrize(("cores", "side_px"), [(2, SIZE_PX), (8, FILM_PX)])
def test_a_live_session_is_filmed_as_large_as_it_is_shown(
    home: Path, engine: str, cores: int, side_px: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.setenv(FORMAT_VARIABLE, "float32")  # two cores that are fast in another format show them larger
    film, figures = made(home, "live", "--character", "squares", "--engine", engine, "--seconds", "0.5")
    facts = probe_film(film)
    assert (facts.width_px, facts.height_px, facts.num_frames) == (side_px, side_px, 12)
    assert figures["size_px"] == side_px


def test_a_project_is_rendered_as_large_as_it_is_shown(home: Path, store: ProjectStore) -> None:
    film, figures = made(home, "render", store.path, "--from", "24", "--to", "36")
    facts = probe_film(film)
    assert (facts.width_px, facts.height_px, facts.num_frames) == (FILM_PX, FILM_PX, 12)
    assert figures["size_px"] == FILM_PX


def test_a_pack_is_described_with_the_size_of_its_films(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "info", "larger", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["film_px"] == FILM_PX
    assert facts["width_px"] == SIZE_PX, "the work is that of what is decoded"
