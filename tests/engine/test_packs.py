"""Model packs: what is written is read again, and what is damaged or foreign is refused in one line."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from engine.errors import BadInputError, BadPackError
from engine.loaded_pack import find_pack, load_pack
from engine.packs import build_config, fill_from_file, read_manifest, save_weights, toml_value
from tests.engine.small_pack import BASE, SETTINGS, write_small_pack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_small_pack(tmp_path / "small")


def test_a_pack_comes_back_as_it_was_written(folder: Path) -> None:
    pack = load_pack(folder)
    assert pack.base == SETTINGS
    assert pack.transformer.config == BASE
    again = {name: tensor.clone() for name, tensor in pack.transformer.state_dict().items()}
    save_weights(folder / "again.safetensors", pack.transformer)
    fill_from_file(folder / "again.safetensors", pack.transformer)
    assert all(torch.equal(again[name], tensor) for name, tensor in pack.transformer.state_dict().items())


def test_one_flipped_byte_is_noticed(folder: Path) -> None:
    path = folder / "base.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(BadPackError, match="damaged"):
        load_pack(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "codec.safetensors").unlink()
    with pytest.raises(BadPackError, match=r"codec\.safetensors is missing"):
        load_pack(folder)


@pytest.mark.parametrize("name", ["../base.safetensors", "/etc/passwd", "base.pt"])
def test_weights_outside_the_pack_or_in_another_format_are_refused(folder: Path, name: str) -> None:
    manifest = folder / "manifest.toml"
    manifest.write_text(manifest.read_text().replace('"base.safetensors"', toml_value(name)))
    with pytest.raises(BadPackError, match="safetensors files inside the pack"):
        read_manifest(folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format = 1", "format = 2", "format"),
        ('name = "small"', "", "name"),
        ("num_layers = 2", "num_layers = 2\nsurprise = 1", "surprise"),
        ("[settings.base]", "[settings.base", "TOML"),
        ('preconditioning = "around_reference"', 'preconditioning = "magic"', "magic"),
        ("dim = 24", "dim = 25", "dim"),
    ],
)
def test_a_garbled_manifest_is_refused_in_one_line(folder: Path, old: str, new: str, message: str) -> None:
    manifest = folder / "manifest.toml"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new, 1))
    with pytest.raises(BadPackError, match=message) as caught:
        load_pack(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_manifest_and_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(BadPackError, match="not a model pack"):
        load_pack(tmp_path)
    with pytest.raises(BadPackError, match="no model pack 'nobody'"):
        find_pack("nobody")


def test_a_file_that_does_not_fit_is_refused(folder: Path) -> None:
    pack = load_pack(folder)
    with pytest.raises(BadInputError, match="does not fit AudioEncoder"):
        fill_from_file(folder / "codec.safetensors", pack.speak_encoder)


def test_configs_survive_the_manifest() -> None:
    table = {name: value for name, value in asdict(SETTINGS).items()}
    assert build_config(type(SETTINGS), table, "settings") == SETTINGS
