"""Trained parts become a pack that loads, poses, retouches and performs: every component, each as it is stored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from engine import PerformJob, load_pack, perform
from engine.codec.folded_vae import FoldedVae
from engine.encoders.audio import AudioEncoder
from engine.encoders.text import TextEncoder
from engine.errors import BadInputError
from engine.model.transformer import Transformer
from engine.packs import read_manifest, save_weights
from engine.posing.pose_flow import PoseFlow
from engine.posing.retouch import Retouch
from tests.engine.small_pack import striking_character
from training.onto_pack import pack_onto
from training.packing import BACKBONE_FILE, REFINER_FILE, build_pack
from training.recipes import parts

SMALL = {"dim": 24, "ffn_dim": 32, "num_layers": 1, "num_heads": 2}


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The parts of the smallest models of the recipes' kinds, random everywhere."""
    monkeypatch.setattr(parts, "SIZE_PX", 48)
    sides, shapes = ("encoder", "decoder"), {"widths": (8, 8, 8), "blocks": (1, 1, 1)}
    thin = {f"{side}_{name}": shape for side in sides for name, shape in shapes.items()}
    monkeypatch.setattr(parts, "CODEC", replace(parts.CODEC, **thin))
    monkeypatch.setattr(parts, "BASE", replace(parts.BASE, **SMALL))
    monkeypatch.setattr(parts, "MOTION", replace(parts.MOTION, **SMALL))
    monkeypatch.setattr(parts, "POSING", replace(parts.POSING, look_px=16, widths=(4, 6)))
    monkeypatch.setattr(parts, "RETOUCH", replace(parts.RETOUCH, width=8, num_blocks=1))
    folder = tmp_path / "trained"
    torch.manual_seed(0)
    modules: dict[str, nn.Module] = {
        parts.CODEC_FILE: FoldedVae(parts.CODEC),
        parts.BASE_FILE: Transformer(parts.BASE),
        parts.SPEAK_FILE: AudioEncoder(parts.SPEAK_ENCODER),
        parts.LISTEN_FILE: AudioEncoder(parts.LISTEN_ENCODER),
        parts.TEXT_FILE: TextEncoder(parts.TEXT_ENCODER),
        parts.MOTION_FILE: Transformer(parts.MOTION),
        parts.POSING_FILE: PoseFlow(parts.POSING),
        parts.RETOUCH_FILE: Retouch(parts.RETOUCH),
        BACKBONE_FILE: Transformer(parts.BASE),
        REFINER_FILE: Transformer(parts.BASE),
    }
    for name, module in modules.items():
        for parameter in module.parameters():
            parameter.data.add_(0.05 * torch.randn_like(parameter))
        save_weights(folder / name, module)
    return folder


def test_a_pack_of_all_parts_loads_poses_and_performs(trained: Path, tmp_path: Path) -> None:
    manifest = build_pack([tmp_path / "empty", trained], tmp_path / "pack", "small", "7")
    written = read_manifest(tmp_path / "pack")
    assert (written.name, written.version) == ("small", "7")
    assert [entry.sha256 for entry in written.components] == [entry.sha256 for entry in manifest.components]
    assert {entry.role: entry.dtype for entry in manifest.components if entry.dtype != "int8"} == {"codec": "bfloat16"}
    assert manifest.component("refiner").file != manifest.component("backbone").file
    pack = load_pack(tmp_path / "pack")
    assert pack.posing is not None and pack.online is not None and pack.motion is not None
    assert pack.transformer.config == pack.online.backbone.config == pack.online.refiner.config == parts.BASE
    assert parts.BASE.is_shown_posed_anchor
    assert pack.posing.config == parts.POSING
    assert pack.retouch is not None and pack.retouch.config == parts.RETOUCH
    assert pack.motion.settings == parts.MOTION_SETTINGS
    job = PerformJob(character=striking_character(), num_frames=12)
    retouched, posed, unposed = (
        np.concatenate([piece.frames_THWC for piece in perform(each, job)])
        for each in (pack, replace(pack, retouch=None), replace(pack, retouch=None, posing=None))
    )
    assert retouched.shape == (12, 48, 48, 3)
    assert not np.array_equal(retouched, posed)
    assert not np.array_equal(posed, unposed)


def test_one_network_that_is_backbone_and_refiner_is_stored_and_held_once(trained: Path, tmp_path: Path) -> None:
    (trained / REFINER_FILE).write_bytes((trained / BACKBONE_FILE).read_bytes())
    manifest = build_pack([trained], tmp_path / "pack", "small", "7")
    assert manifest.component("refiner").file == manifest.component("backbone").file == BACKBONE_FILE
    assert not (tmp_path / "pack" / REFINER_FILE).exists()
    online = load_pack(tmp_path / "pack").online
    assert online is not None and online.backbone is online.refiner
    run = tmp_path / "run"
    run.mkdir()
    save_weights(run / "refiner.safetensors", Transformer(parts.BASE))
    parted = pack_onto(tmp_path / "pack", [run], tmp_path / "parted", "small", "8")
    assert parted.component("refiner").file != parted.component("backbone").file
    online = load_pack(tmp_path / "parted").online
    assert online is not None and online.backbone is not online.refiner


def test_without_a_pose_flow_there_is_no_pack(trained: Path, tmp_path: Path) -> None:
    (trained / parts.POSING_FILE).unlink()
    with pytest.raises(BadInputError, match=r"holds posing\.safetensors; train it first"):
        build_pack([trained], tmp_path / "pack", "small", "7")
    assert not (tmp_path / "pack" / "manifest.toml").exists()


def test_without_a_retouching_network_there_is_a_pack_that_leaves_pictures_as_they_are(
    trained: Path, tmp_path: Path
) -> None:
    (trained / parts.RETOUCH_FILE).unlink()
    build_pack([trained], tmp_path / "pack", "small", "7")
    pack = load_pack(tmp_path / "pack")
    assert pack.posing is not None and pack.retouch is None
