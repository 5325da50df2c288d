"""A transformer with its blocks on disk gives the same numbers as in memory, and memory holds one block."""

from pathlib import Path

import pytest
import torch

from engine.errors import BadPackError
from engine.figures.workload import workload_for
from engine.interop.tensor_file import TensorFileWriter
from engine.model.streamed import BlocksOnDisk, transformer_on_disk
from engine.model.transformer import Transformer
from engine.model_config import DitConfig
from engine.packs import fill_from_file
from engine.random_weights import random_weight, transformer_specs, write_random_transformer
from engine.single_forward import forward_from_disk, noise_inputs
from tests.engine.figures.test_figures import SMALL

WORK = workload_for(SMALL, 8, (96, 64), chunk_latents=3, context_chunks=1, num_references=2, text_rows=5)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("random") / "base.safetensors"
    write_random_transformer(path, SMALL, torch.float32)
    return path


def in_memory(path: Path, config: DitConfig = SMALL) -> Transformer:
    model = Transformer(config).eval()
    fill_from_file(path, model)
    return model


def test_blocks_from_disk_compute_the_same_bits(path: Path) -> None:
    inputs = noise_inputs(SMALL, WORK)
    with torch.inference_mode():
        streamed = transformer_on_disk(SMALL, path)(inputs)
        plain = in_memory(path)(inputs)
    assert torch.equal(streamed, plain) and plain.std() > 0.01


def test_references_of_a_session_stream_too(path: Path) -> None:
    references = noise_inputs(SMALL, WORK).references
    with torch.inference_mode():
        streamed = transformer_on_disk(SMALL, path).encode_references(references)
        plain = in_memory(path).encode_references(references)
    assert len(streamed.layers) == SMALL.num_layers
    for ours, wanted in zip(streamed.layers, plain.layers, strict=True):
        assert torch.equal(ours.k_BSNK, wanted.k_BSNK) and torch.equal(ours.v_BSNK, wanted.v_BSNK)


def test_only_the_block_at_work_has_weights(path: Path) -> None:
    model = transformer_on_disk(SMALL, path)
    assert isinstance(model.blocks, BlocksOnDisk) and len(model.blocks) == SMALL.num_layers
    seen = []
    for block in model.blocks:
        assert not any(weight.is_meta for weight in block.parameters())
        seen.append(block.ffn[0].weight.clone())
        if len(seen) == 2:
            break
    assert not torch.equal(*seen)
    assert all(weight.is_meta for weight in model.blocks.block.parameters())
    assert not any(weight.is_meta for name, weight in model.named_parameters() if not name.startswith("blocks."))


def test_a_file_of_other_sizes_is_refused_by_name(path: Path, tmp_path: Path) -> None:
    specs = transformer_specs(SMALL, torch.float32)
    del specs["blocks.1.ffn.0.bias"]
    with TensorFileWriter(tmp_path / "short.safetensors", specs) as writer:
        for name, spec in specs.items():
            writer.write(random_weight(name, spec))
    with pytest.raises(BadPackError, match=r"blocks\.1\.ffn\.0\.bias"):
        transformer_on_disk(SMALL, tmp_path / "short.safetensors")
    with pytest.raises(BadPackError, match="missing or damaged"):
        transformer_on_disk(SMALL, tmp_path / "nothing.safetensors")


def test_random_weights_are_the_same_wherever_they_are_made(path: Path, tmp_path: Path) -> None:
    write_random_transformer(tmp_path / "again.safetensors", SMALL, torch.float32)
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    assert not list(tmp_path.glob("*.journal"))


def test_figures_of_one_forward(tmp_path: Path) -> None:
    path = tmp_path / "base.safetensors"
    write_random_transformer(path, SMALL)
    figures = forward_from_disk(SMALL, path, WORK)
    assert figures.is_finite and figures.output_std > 0.01
    assert figures.output_shape == (1, 3, 4, 8, 12)
    assert figures.weights_bytes == path.stat().st_size
