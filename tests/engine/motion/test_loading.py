"""Packs with a model of motion: found, fitted to the model that draws, refused in one line where they do not fit."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.codec.folded_vae import FoldedVae
from engine.figures.parameters import transformer_parameters
from engine.loaded_pack import load_pack
from engine.model.transformer import Transformer
from engine.model_config import AudioWindow
from tests.engine.refusals import check_that_damage_is_noticed, refusal, swap
from tests.engine.small_pack import (
    CODEC,
    MOTION,
    MOTION_SETTINGS,
    MOVED_BASE,
    ROW_WIDTH,
    SETTINGS,
    write_small_motion_pack,
    write_small_pack,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_small_motion_pack(tmp_path / "small")


def test_a_pack_brings_its_model_of_motion(folder: Path) -> None:
    pack = load_pack(folder)
    assert pack.motion is not None
    assert pack.motion.settings == MOTION_SETTINGS
    assert pack.motion.transformer.config == MOTION
    assert pack.transformer.config == MOVED_BASE
    assert pack.motion.row_width == ROW_WIDTH
    assert not any(parameter.requires_grad for parameter in pack.motion.transformer.parameters())


def test_a_pack_without_one_loads_as_before(tmp_path: Path) -> None:
    pack = load_pack(write_small_pack(tmp_path))
    assert pack.motion is None
    assert pack.guidance == SETTINGS.guidance
    assert "motion_embedding" not in {name.split(".")[0] for name in pack.transformer.state_dict()}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"in_channels": 4, "out_channels": 4}, "rows of 4 numbers, the base model takes 5"),
        ({"out_channels": 4}, "rows of 4 numbers"),
        ({"in_channels": 4}, "must be as many"),
        ({"patch_size": (1, 2, 2)}, "grid of one position"),
        ({"text_dim": 9}, "text_dim 9, the base model 8"),
        ({"speak_dim": 9}, "speak_dim 9"),
        ({"listen_dim": 9}, "listen_dim 9"),
        ({"speak_window": AudioWindow(rows_per_latent=2, rows_before=0, rows_after=0)}, "speak_window hears"),
        ({"speak_window": AudioWindow(rows_per_latent=4, rows_before=3, rows_after=2)}, "speak_window hears"),
        ({"speak_window": AudioWindow(rows_per_latent=4, rows_before=0, rows_after=3)}, "speak_window hears"),
        ({"listen_window": AudioWindow(rows_per_latent=2, rows_before=7, rows_after=0)}, "listen_window hears"),
        ({"listen_window": AudioWindow(rows_per_latent=2, rows_before=6, rows_after=1)}, "listen_window hears"),
    ],
)
def test_a_model_of_motion_that_does_not_fit_is_refused(folder: Path, changed: dict[str, object], message: str) -> None:
    config = replace(MOTION, **changed)  # type: ignore[arg-type]
    swap(folder, "motion", "transformer", Transformer(config), config)
    assert message in refusal(folder)


def test_a_component_that_is_no_transformer_is_refused(folder: Path) -> None:
    swap(folder, "motion", "folded_vae", FoldedVae(CODEC), CODEC)
    assert "motion is no transformer" in refusal(folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (r"\[settings\.motion\](?s:.*?)(?=\n\[\[)", "", "rest"),
        (r"\[settings\.motion\](?s:.*?)(?=\n\[\[)", "[settings]\nmotion = 3", "settings"),
        (r"rest = .*", "rest = []", "rest is empty"),
        (r"rest = .*", "rest = [0, 0, 0, 0]", "a row of rest 4"),
        (r"rest = .*((?s:.*?))drawn_share = .*", r"rest = [0, 0, 0, 0]\1drawn_share = []", "a row of rest has 4"),
        (r"rest = .*", "rest = [0, 0, 0, 0, nan]", "none"),
        (r"rest = .*", 'rest = "01234"', "settings.motion"),
        (r"history_rows = .*", "history_rows = 0", "history_rows"),
        (r"history_rows = .*", 'history_rows = "4"', "settings.motion"),
        (r"limit = .*", "limit = -1.0", "limit"),
        (r"limit = .*", "surprise = 1", "surprise"),
        (r"least = .*", "least = [0.0]", "least and most have 1 and 0 numbers"),
        (r"least = .*", 'least = "01234"', "settings.motion"),
        (r"drawn_share = .*", "drawn_share = [1.0]", "drawn_share has 1 numbers"),
        (r"drawn_share = .*", "drawn_share = [1.0, 1.0, 1.0, 1.0, 2.5]", "shares"),
        (r"(drawn_share = .*\n)guidance = .*", r"\1guidance = 3", "guidance"),
        (r"motion_dim = 5", "motion_dim = 0", "does not fit"),
    ],
)
def test_a_garbled_manifest_is_refused(folder: Path, old: str, new: str, message: str) -> None:
    path = folder / "manifest.toml"
    text, count = re.subn(old, new, path.read_text(), count=1)
    assert count
    path.write_text(text)
    assert message in refusal(folder)


def test_a_setting_of_an_older_pack_that_nothing_goes_by_any_more_is_passed_over(folder: Path) -> None:
    """Up to lpm-tiny 0.13.0 faces of feelings were fixed shares of brows and cheeks."""
    path = folder / "manifest.toml"
    text, count = re.subn(r"(\[settings\.motion\]\n)", r"\1feeling_faces = [0.0, 1.0, -1.0]\n", path.read_text())
    assert count == 1
    path.write_text(text)
    motion = load_pack(folder).motion
    assert motion is not None and motion.settings == MOTION_SETTINGS


def test_a_damaged_or_missing_file_is_noticed(folder: Path) -> None:
    check_that_damage_is_noticed(folder, "motion.safetensors")


def test_every_weight_of_a_model_that_is_told_motion_is_counted() -> None:
    with torch.device("meta"):
        total = sum(parameter.numel() for parameter in Transformer(MOVED_BASE).parameters())
    parameters = transformer_parameters(MOVED_BASE)
    assert parameters.total == total
    assert parameters.by_part["motion_embedding"] == 24 * (ROW_WIDTH + 1) + 48 * (24 + 1)
