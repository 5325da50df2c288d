"""Weights as int8: what is lost is what rounding loses, and a pack that holds them performs like the one it was made from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine import PerformJob, perform
from engine.errors import BadInputError, BadPackError
from engine.filled_components import filled_component
from engine.int8_weights import BLOCK, SCALE_SUFFIX, error_db, packed, unpacked
from engine.loaded_pack import load_pack
from engine.packs import file_sha256, read_manifest, save_weights, stored_numbers, write_pack
from engine.shrinking import shrink_pack
from tests.engine.online.small_online_pack import rewrite, write_small_online_pack
from tests.engine.small_pack import small_character, write_small_pack


def test_rounding_is_within_half_a_step_of_each_channel() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = {
        "matrix": torch.randn(64, 48, generator=generator) * torch.logspace(-3, 2, 64)[:, None],
        "kernel": torch.randn(16, 8, 3, 3, generator=generator),
        "bias": torch.randn(5000, generator=generator),
        "little": torch.randn(4, 4, generator=generator),
        "count": torch.arange(3),
        "empty_channel": torch.cat([torch.zeros(1, 2000), torch.ones(1, 2000)]),
    }
    stored = packed(weights, kept=torch.float32)
    assert {name for name, x in stored.items() if x.dtype == torch.int8} == {"matrix", "kernel", "empty_channel"}
    back = unpacked(stored)
    assert set(back) == set(weights)
    for name in ("bias", "little"):
        assert torch.equal(back[name], weights[name])
    assert torch.equal(back["empty_channel"][0], weights["empty_channel"][0])
    assert torch.allclose(back["empty_channel"][1], weights["empty_channel"][1], rtol=0.005)
    for name in ("matrix", "kernel"):
        rows_OI = weights[name].flatten(1)
        for start in range(0, rows_OI.shape[1], BLOCK):
            block_OI = rows_OI[:, start : start + BLOCK]
            error_OI = (back[name].flatten(1)[:, start : start + BLOCK] - block_OI).abs()
            assert (error_OI <= 0.51 * block_OI.abs().amax(dim=1, keepdim=True) / 127 * 1.004).all()
    assert tuple(stored["kernel" + SCALE_SUFFIX].shape) == (16, 2)
    assert 35 < error_db({"matrix": weights["matrix"]}, back) < 50
    assert error_db({"bias": weights["bias"]}, back) == float("inf")


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        packed({"matrix": torch.full((40, 40), float("nan"))})
    stored = packed({"matrix": torch.ones(40, 40)})
    with pytest.raises(ValueError, match="do not fit each other"):
        unpacked(stored | {"matrix" + SCALE_SUFFIX: torch.ones(3)})
    with pytest.raises(ValueError, match="do not fit each other"):
        unpacked(stored | {"matrix" + SCALE_SUFFIX: torch.full((40,), float("inf"))})
    with pytest.raises(ValueError, match="scales nothing"):
        unpacked({"other" + SCALE_SUFFIX: torch.ones(3)})


def test_a_shrunk_pack_performs_like_the_one_it_was_made_from(tmp_path: Path) -> None:
    folder = write_small_online_pack(tmp_path / "pack")
    components = {one.role: one for one in shrink_pack(folder, tmp_path / "small")}
    assert set(components) == {entry.role for entry in read_manifest(folder).components}
    assert components["base"].bytes_after < 0.6 * components["base"].bytes_before
    assert 35 < components["base"].error_db < 60
    first, second = load_pack(folder), load_pack(tmp_path / "small")
    assert second.online is not None
    dtypes = {entry.role: entry.dtype for entry in second.manifest.components}
    assert dtypes.pop("codec") == "int8_but_decoder" and set(dtypes.values()) == {"int8"}
    codec = load_file(tmp_path / "small" / "codec.safetensors")
    scaled = {name.split(".")[0] for name in codec if name.endswith(SCALE_SUFFIX)}
    assert scaled == {"encoder"}, "what int8 takes from a decoder is seen as grain"
    job = PerformJob(character=small_character(), num_frames=24)
    films = [
        np.concatenate([piece.frames_THWC for piece in perform(pack, job)]).astype(np.float32)
        for pack in (first, second)
    ]
    assert 0 < np.abs(films[0] - films[1]).mean() < 2.0
    entry = second.manifest.component("base")
    assert stored_numbers(tmp_path / "small", entry) == stored_numbers(folder, first.manifest.component("base"))
    on_disk = filled_component(tmp_path / "small", entry, largest_in_memory_bytes=1)
    for name, tensor in second.transformer.state_dict().items():
        assert torch.equal(on_disk.state_dict()[name], tensor)


def test_only_the_roles_asked_for_are_shrunk(tmp_path: Path) -> None:
    folder = write_small_pack(tmp_path / "pack")
    shrink_pack(folder, tmp_path / "small", ["base"])
    dtypes = {entry.role: entry.dtype for entry in read_manifest(tmp_path / "small").components}
    assert dtypes.pop("base") == "int8"
    assert set(dtypes.values()) == {"float32"}
    again = shrink_pack(tmp_path / "small", tmp_path / "again", ["base"])
    assert all(one.bytes_before == one.bytes_after for one in again)
    with pytest.raises(BadInputError, match="has no refiner"):
        shrink_pack(folder, tmp_path / "other", ["refiner"])
    with pytest.raises(BadInputError, match="there already"):
        shrink_pack(folder, tmp_path / "small")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "pack", "small"]


def test_a_damaged_scale_is_one_line(tmp_path: Path) -> None:
    shrink_pack(write_small_pack(tmp_path / "pack"), tmp_path / "small")
    path = tmp_path / "small" / "base.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith(SCALE_SUFFIX))
    tensors[name] = tensors[name][:-1].clone()
    save_file(tensors, path)
    manifest = read_manifest(tmp_path / "small")
    entries = tuple(
        replace(entry, sha256=file_sha256(path)) if entry.role == "base" else entry for entry in manifest.components
    )
    rewrite(tmp_path / "small", replace(manifest, components=entries))
    with pytest.raises(BadPackError, match="do not fit each other"):
        load_pack(tmp_path / "small")


def test_statistics_keep_their_precision(tmp_path: Path) -> None:
    module = torch.nn.BatchNorm2d(2000)
    module.running_mean = torch.linspace(0, 1, 2000)
    save_weights(tmp_path / "norm.safetensors", module, torch.int8)
    assert torch.equal(load_file(tmp_path / "norm.safetensors")["running_mean"], module.running_mean)


def test_one_network_in_two_roles_stays_one_file(tmp_path: Path) -> None:
    folder = write_small_online_pack(tmp_path / "pack")
    manifest = read_manifest(folder)
    backbone = manifest.component("backbone")
    merged = [
        replace(each, file=backbone.file, sha256=backbone.sha256, config=backbone.config)
        if each.role == "refiner"
        else each
        for each in manifest.components
    ]
    write_pack(folder, replace(manifest, components=tuple(merged)))
    assert manifest.component("refiner").file != backbone.file
    (folder / manifest.component("refiner").file).unlink()
    found = shrink_pack(folder, tmp_path / "small", ["refiner"])
    assert "refiner" not in {each.role for each in found}
    small = read_manifest(tmp_path / "small")
    assert small.component("refiner").file == small.component("backbone").file
    assert small.component("refiner").dtype == small.component("backbone").dtype == "int8"
    assert small.component("base").dtype == manifest.component("base").dtype
    pack = load_pack(tmp_path / "small")
    assert pack.online is not None and pack.online.refiner is pack.online.backbone
