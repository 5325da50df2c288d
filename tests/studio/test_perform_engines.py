"""`lpm perform --engine online` as a person uses it, with packs of the smallest size: films, reports, and what is refused in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.character_writing import NewCharacter, NewReference, write_character
from engine.characters import Origin, ReferenceKind
from engine.locations import HOME_VARIABLE
from engine.media.film_reading import probe_film
from studio.cli import main
from tests.engine.online.small_online_pack import write_small_online_pack
from tests.engine.small_pack import write_small_pack


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    for name, write in (("small", write_small_pack), ("causal", write_small_online_pack)):
        (folder / "models" / name).mkdir(parents=True)
        write(folder / "models" / name)
    (folder / "characters").mkdir()
    grey_HWC = np.full((48, 48, 3), 120, np.uint8)
    reference = NewReference(kind=ReferenceKind.GLOBAL, subtype="", picture_HWC=grey_HWC)
    write_character(
        folder / "characters" / "grey",
        NewCharacter(name="Grey", description="", origin=Origin.SYNTHETIC, consent="drawn", references=[reference]),
    )
    return folder


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(home))


def perform(pack: str, *words: str | Path) -> int:
    return main(["perform", "--character", "grey", "--engine", "online", "--pack", pack, *map(str, words)])


def test_the_online_engine_makes_a_film_with_the_same_command_and_says_so(tmp_path: Path, home: Path) -> None:
    voice, film, report = tmp_path / "voice.wav", tmp_path / "film.mp4", tmp_path / "film.json"
    soundfile.write(voice, np.sin(np.arange(25500) / 20) * 0.3, 24000)
    portrait = home / "characters" / "grey" / "global.png"
    asked = ("--speak", voice, "--prompt", "smiles", "--mute-speak", "0.5-1", "--seed", "3", "--first-frame", portrait)
    assert perform("causal", *asked, "--work", tmp_path / "parts", "-o", film, "--report", report) == 0
    figures = json.loads(report.read_text())
    assert probe_film(film).num_frames == figures["frames"] == 26
    assert figures["engine"] == "online" and figures["seed"] == 3
    assert figures["chunk"] == {"latents": 3, "frames": 12, "sink_chunks": 1, "window_chunks": 1}
    assert figures["timesteps"]["backbone"][0] == 1000 > figures["timesteps"]["refiner"] > 0
    assert {"opening", "encode", "generator", "refiner", "vae", "write"} == set(figures["stages_s"])
    assert figures["real_time_factor"] > 0 and figures["peak_memory_mb"] > 50
    assert figures["join_frames"] == [12, 24] and figures["windows"] == {"made": 3, "reused": 0}
    assert figures["mutes"] == [{"track": "speak", "start_frame": 12, "end_frame": 24}]
    assert figures["prompts"][0]["text"] == "smiles" and "steps" not in figures and "guidance" not in figures
    assert not (tmp_path / "parts").exists()


def test_what_the_online_engine_cannot_do_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = tmp_path / "film.mp4"
    cases = {
        "--resume does not go with --engine online": ("causal", "--resume"),
        "--steps does not go": ("causal", "--steps", "4"),
        "--text-scale does not go": ("causal", "--text-scale", "0"),
        "--speak-scale does not go": ("causal", "--speak-scale", "2"),
        "--listen-scale does not go": ("causal", "--listen-scale", "2"),
        "small has no causal models; use --engine base": ("small",),
    }
    for complaint, (pack, *words) in cases.items():
        assert perform(pack, "--seconds", "0.5", *words, "-o", film) == 1, complaint
        written = capsys.readouterr().err
        assert complaint in written and "use --engine base" in written and written.count("\n") == 1, written
    assert not list(tmp_path.iterdir())


def test_a_project_is_rendered_by_the_base_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "any.lpm", "--engine", "online", "-o", str(tmp_path / "film.mp4")]) == 1
    written = capsys.readouterr().err
    assert "use --engine base" in written and written.count("\n") == 1
