"""Single pictures as the benchmark's eye reads them: who it is, and the colour of the skin."""

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from engine.characters import find_character, load_character
from engine.errors import BadInputError
from engine.media.pictures import write_picture
from training.bench.pictures_cli import face_lab, run_pictures_job


def test_the_face_is_looked_at_between_eyes_and_mouth() -> None:
    picture_HWC = np.zeros((100, 100, 3), np.uint8)
    picture_HWC[40:61, 40:61] = 255
    white = face_lab(picture_HWC, np.array([[0.5, 0.6], [0.5, 0.4]], np.float32))
    black = face_lab(picture_HWC, np.array([[0.2, 0.3], [0.2, 0.1]], np.float32))
    assert white == pytest.approx([100.0, 0.0, 0.0], abs=0.1)
    assert black == pytest.approx([0.0, 0.0, 0.0], abs=0.1)


def test_a_character_is_nearer_to_itself_than_another_and_a_tint_is_seen(tmp_path: Path) -> None:
    own_HWC = load_character(find_character("maya")).global_picture_HWC
    other_HWC = load_character(find_character("omar")).global_picture_HWC
    tinted_HWC = np.clip(own_HWC.astype(np.int32) + np.array([30, 0, 0]), 0, 255).astype(np.uint8)
    for name, picture_HWC in (("a-own", own_HWC), ("b-other", other_HWC), ("c-tinted", tinted_HWC)):
        write_picture(tmp_path / f"{name}.png", picture_HWC)
    report = tmp_path / "report.json"
    run_pictures_job(Namespace(folder=tmp_path, character="maya", report=report))
    table = json.loads(report.read_text("utf-8"))
    own, other, tinted = table["pictures"]
    assert [row["name"] for row in table["pictures"]] == ["a-own.png", "b-other.png", "c-tinted.png"]
    assert own["identity_distance"] == pytest.approx(0.0, abs=0.01)
    assert other["identity_distance"] > 0.3
    assert table["of_others"] > 0.3
    assert [row["is_own_nearest"] for row in table["pictures"]] == [True, False, True]
    assert tinted["face_lab"][1] > own["face_lab"][1] + 3


def test_a_folder_without_pictures_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no PNG"):
        run_pictures_job(Namespace(folder=tmp_path, character="maya", report=tmp_path / "report.json"))
