"""Trained parts become a pack that loads, poses, retouches and performs: every component, each as it is stored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from engine import PerformJob, load_pack, perform
from engine.codec.folded_vae import FoldedVae
from engine.errors import BadInputError
from engine.model.transformer import Transformer
from engine.packs import read_manifest, save_weights
from engine.posing.retouch import Retouch
from tests.engine.small_pack import striking_character
from tests.training.small_parts import write_small_parts
from training.onto_pack import pack_onto
from training.packing import BACKBONE_FILE, REFINER_FILE, build_pack
from training.recipes import parts


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The parts of the smallest models of the recipes' kinds, random everywhere."""
    return write_small_parts(tmp_path / "trained", monkeypatch)


def test_a_pack_of_all_parts_loads_poses_and_performs(trained: Path, tmp_path: Path) -> None:
    manifest = build_pack([tmp_path / "empty", trained], tmp_path / "pack", "small", "7")
    written = read_manifest(tmp_path / "pack")
    assert (written.name, written.version) == ("small", "7")
    assert [entry.sha256 for entry in written.components] == [entry.sha256 for entry in manifest.components]
    stored = {entry.role: entry.dtype for entry in manifest.components if entry.dtype != "int8"}
    assert stored == {"codec": "int8_but_finest_level"}
    with safe_open(tmp_path / "pack" / parts.CODEC_FILE, framework="pt") as codec:
        kinds = {name: codec.get_slice(name).get_dtype() for name in codec.keys()}  # noqa: SIM118
    whole = {name for name in kinds if name.startswith(FoldedVae(parts.CODEC).finest_level)}
    assert {kinds[name] for name in whole} == {"BF16"}, "the decoder's finest level"
    rounded = {name.split(".")[0] for name in kinds.keys() - whole if kinds[name] == "I8"}
    assert rounded == {"encoder", "decoder", "fine_entry"}
    assert kinds["fine.basis"] == "F32"
    assert manifest.component("refiner").file != manifest.component("backbone").file
    pack = load_pack(tmp_path / "pack")
    assert pack.posing is not None and pack.online is not None and pack.motion is not None
    assert pack.transformer.config == pack.online.backbone.config == pack.online.refiner.config == parts.BASE
    assert parts.BASE.is_shown_posed_anchor
    assert pack.posing.config == parts.POSING
    assert pack.retouch is not None and pack.retouch.config == parts.RETOUCH
    assert pack.motion.settings == parts.MOTION_SETTINGS
    job = PerformJob(character=striking_character(), num_frames=12)
    assert pack.paint is not None and pack.paint.config == parts.PAINT
    assert (pack.size_px, pack.film_px) == (48, 48 * parts.FINER)
    as_decoded = replace(pack, film_px=pack.size_px)
    shown, retouched, posed, unposed, unpainted = (
        np.concatenate([piece.frames_THWC for piece in perform(each, job)])
        for each in (
            pack,
            as_decoded,
            replace(as_decoded, retouch=None),
            replace(as_decoded, retouch=None, posing=None),
            replace(as_decoded, retouch=None, paint=None),
        )
    )
    assert shown.shape == (12, pack.film_px, pack.film_px, 3)
    assert not np.array_equal(unpainted, posed)
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
    save_weights(tmp_path / "other" / parts.RETOUCH_FILE, Retouch(parts.RETOUCH))
    together = pack_onto(tmp_path / "pack", [tmp_path / "other"], tmp_path / "together", "small", "9")
    assert together.component("refiner").file == together.component("backbone").file == BACKBONE_FILE
    assert not (tmp_path / "together" / REFINER_FILE).exists()


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
    assert pack.film_px == pack.size_px, "and shows them as large as they are decoded"


def test_a_part_that_the_pack_had_not_is_added(trained: Path, tmp_path: Path) -> None:
    weights = (trained / parts.PAINT_FILE).read_bytes()
    (trained / parts.PAINT_FILE).unlink()
    build_pack([trained], tmp_path / "pack", "small", "7")
    assert load_pack(tmp_path / "pack").paint is None
    with pytest.raises(BadInputError, match="has no paint, and none of"):
        pack_onto(tmp_path / "pack", [trained], tmp_path / "unpainted", "small", "8", {"paint": parts.PAINT})
    (trained / parts.PAINT_FILE).write_bytes(weights)
    pack_onto(tmp_path / "pack", [trained], tmp_path / "painted", "small", "8", {"paint": parts.PAINT})
    pack = load_pack(tmp_path / "painted")
    assert pack.paint is not None and pack.paint.config == parts.PAINT
    assert pack.manifest.component("paint").dtype == "int8"


def test_a_part_that_was_trained_in_another_shape_brings_it(trained: Path, tmp_path: Path) -> None:
    build_pack([trained], tmp_path / "pack", "small", "7")
    wider, run = replace(parts.RETOUCH, width=12), tmp_path / "run"
    save_weights(run / parts.RETOUCH_FILE, Retouch(wider))
    with pytest.raises(BadInputError, match="does not fit Retouch"):
        pack_onto(tmp_path / "pack", [run], tmp_path / "unfit", "small", "8")
    pack_onto(tmp_path / "pack", [run], tmp_path / "grown", "small", "8", {"retouch": wider, "posing": parts.POSING})
    grown, before = load_pack(tmp_path / "grown"), load_pack(tmp_path / "pack")
    assert grown.retouch is not None and grown.retouch.config == wider
    assert grown.posing is not None and before.posing is not None
    assert grown.posing.config == before.posing.config, "what was not trained keeps its own"
