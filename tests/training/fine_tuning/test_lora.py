"""Adapters begin as nothing, train alone, and merged weights compute the same under the base model's own names."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import BadInputError
from tests.training.distillation.small_films import small_film, small_model
from training.fine_tuning.lora import (
    LoraConfig,
    adapter_tensors,
    add_adapters,
    merged_state,
    merged_transformer,
    read_adapter,
    save_adapter,
)

pytest.importorskip("peft", reason="peft is not installed (lpm-studio[training])")
CONFIG = LoraConfig(rank=2, alpha=4)


def forward(model: torch.nn.Module) -> torch.Tensor:
    film = small_film()
    inputs = film.window_inputs(film.first_BCHW, 0, film.latents_BFCHW[:, :3], torch.tensor([0.5, 0.8]))
    with torch.no_grad():
        output: torch.Tensor = model(inputs)
    return output


def test_adapters_begin_as_nothing_and_merge_to_the_same(tmp_path: Path) -> None:
    model = small_model()
    plain, names = forward(model), set(model.state_dict())
    base = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    add_adapters(model, CONFIG)
    torch.testing.assert_close(forward(model), plain, rtol=1e-5, atol=1e-6)
    assert {name for name, p in model.named_parameters() if p.requires_grad} == {
        name for name, _ in model.named_parameters() if "lora_" in name
    }
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    adapted = forward(model)
    assert not torch.allclose(adapted, plain, atol=1e-3)
    merged = merged_transformer(model, CONFIG)
    assert set(merged.state_dict()) == names
    torch.testing.assert_close(forward(merged), adapted, rtol=1e-4, atol=1e-5)

    save_adapter(tmp_path / "adapter.safetensors", model, CONFIG, base_sha256="ab" * 32)
    config, tensors = read_adapter(tmp_path / "adapter.safetensors", "ab" * 32)
    assert config == CONFIG
    again = merged_state(base, tensors, config.scale)
    assert all(torch.equal(again[name], tensor) for name, tensor in merged.state_dict().items())


def test_an_adapter_of_other_weights_or_shapes_is_refused(tmp_path: Path) -> None:
    model = small_model()
    add_adapters(model, CONFIG)
    path = tmp_path / "adapter.safetensors"
    save_adapter(path, model, CONFIG, base_sha256="ab" * 32)
    with pytest.raises(BadInputError, match="made for other weights"):
        read_adapter(path, "cd" * 32)
    save_file(load_file(path), tmp_path / "bare.safetensors")
    with pytest.raises(BadInputError, match="no adapter of this studio"):
        read_adapter(tmp_path / "bare.safetensors", "ab" * 32)
    with pytest.raises(BadInputError, match="has no place in this model"):
        merged_state({"blocks.9.ffn.0.weight": torch.zeros(2, 2)}, adapter_tensors(model), 1.0)
