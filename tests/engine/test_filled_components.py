"""Components left on disk compute what those in memory compute, for every kind in a pack."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from engine.encoders.umt5 import Umt5, Umt5Config
from engine.errors import BadPackError
from engine.figures.workload import workload_for
from engine.filled_components import filled_component
from engine.model.streamed import BlocksOnDisk
from engine.model.transformer import Transformer
from engine.packs import ComponentEntry, Manifest, file_sha256, read_manifest, save_weights
from engine.single_forward import noise_inputs
from tests.engine.small_pack import BASE, SIZE_PX, write_small_pack


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_pack(tmp_path_factory.mktemp("pack") / "small")


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Manifest:
    return read_manifest(folder)


def test_a_transformer_too_large_brings_its_blocks_from_disk(folder: Path, manifest: Manifest) -> None:
    entry = manifest.component("base")
    in_memory, on_disk = filled_component(folder, entry), filled_component(folder, entry, 0)
    assert isinstance(in_memory, Transformer) and isinstance(on_disk, Transformer)
    assert isinstance(on_disk.blocks, BlocksOnDisk) and not isinstance(in_memory.blocks, BlocksOnDisk)
    inputs = noise_inputs(BASE, workload_for(BASE, 12, (SIZE_PX, SIZE_PX), context_chunks=1, num_references=1))
    with torch.inference_mode():
        assert torch.equal(in_memory(inputs), on_disk(inputs))


@pytest.mark.parametrize("role", ["codec", "speak_encoder", "text_encoder"])
def test_what_holds_tables_besides_weights_is_in_memory_whatever_its_size(
    folder: Path, manifest: Manifest, role: str
) -> None:
    network = filled_component(folder, manifest.component(role), 0)
    assert not any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers()))


def test_a_umt5_too_large_is_mapped_as_it_is_stored(tmp_path: Path) -> None:
    config = Umt5Config(
        vocabulary=20, width=12, attention_width=8, ffn_width=10, num_heads=2, num_layers=2, num_tokens=6
    )
    path = tmp_path / "text_encoder.safetensors"
    save_weights(path, Umt5(config), torch.bfloat16)
    entry = ComponentEntry(
        role="text_encoder",
        kind="umt5",
        file=path.name,
        dtype="bfloat16",
        sha256=file_sha256(path),
        config=asdict(config),
    )
    in_memory, mapped = filled_component(tmp_path, entry), filled_component(tmp_path, entry, 0)
    assert {weight.dtype for weight in mapped.parameters()} == {torch.bfloat16}
    ids_BL, is_token_BL = torch.arange(5)[None], torch.ones(1, 5, dtype=torch.bool)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        wanted, found = in_memory(ids_BL, is_token_BL), mapped(ids_BL, is_token_BL)
    assert (wanted - found).abs().max() < 0.05 * wanted.std()


def test_a_file_that_does_not_fit_is_refused_on_disk_too(folder: Path, manifest: Manifest) -> None:
    entry = manifest.component("base")
    (folder / entry.file).write_bytes((folder / "codec.safetensors").read_bytes())
    with pytest.raises(BadPackError, match="damaged"):
        filled_component(folder, entry)
    with pytest.raises(BadPackError, match="does not fit a transformer"):
        filled_component(folder, entry, 0)
