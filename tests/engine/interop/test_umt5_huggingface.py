"""UMT5 encoders that transformers makes, of other sizes and seeds, convert and agree within 5e-5 in float32."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.encoders.umt5 import Umt5
from engine.errors import BadInputError
from engine.interop import umt5_huggingface, umt5_official

TOLERANCE = 5e-5
CASES: list[dict[str, Any]] = [
    {"vocab_size": 60, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 6},
    {"vocab_size": 90, "d_model": 24, "d_kv": 16, "d_ff": 40, "num_layers": 3, "num_heads": 2, "layer_norm_epsilon": 1e-5},
    {
        "vocab_size": 33, "d_model": 16, "d_kv": 4, "d_ff": 20, "num_layers": 1, "num_heads": 5,
        "relative_attention_num_buckets": 16, "relative_attention_max_distance": 40,
    },
]  # fmt: skip


def transformers_umt5(case: dict[str, Any]) -> Any:
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed (pip install lpm-studio[peers])"
    )
    torch.manual_seed(case["vocab_size"])
    theirs = transformers.UMT5EncoderModel(transformers.UMT5Config(**case)).eval().requires_grad_(False)
    for weight in theirs.parameters():
        weight.copy_(
            torch.randn_like(weight) * weight.shape[-1] ** -0.5
            if weight.ndim > 1
            else 1 + 0.2 * torch.randn_like(weight)
        )
    return theirs


@pytest.mark.parametrize("case", CASES)
def test_an_encoder_saved_by_transformers_gives_the_same_numbers(case: dict[str, Any], tmp_path: Path) -> None:
    theirs = transformers_umt5(case)
    theirs.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    assert umt5_huggingface.recognises(weights)
    assert not umt5_official.recognises(weights)
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    ours = Umt5(umt5_huggingface.config_from(shapes, theirs.config.to_dict())).eval().requires_grad_(False)
    named = {umt5_huggingface.target_name(name): tensor for name, tensor in weights.items()}
    ours.load_state_dict({name: tensor for name, tensor in named.items() if name is not None}, strict=True)
    ids = torch.randint(1, case["vocab_size"], (2, 150))
    mask = torch.arange(150)[None] < torch.tensor([[150], [37]])
    our_rows, their_rows = ours(ids, mask), theirs(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    assert ((our_rows - their_rows) * mask[..., None]).abs().max() < TOLERANCE


def test_only_the_encoder_of_a_whole_model_is_kept() -> None:
    for name in ("decoder.block.0.layer.0.SelfAttention.q.weight", "lm_head.weight", "encoder.embed_tokens.weight"):
        assert umt5_huggingface.target_name(name) is None
    assert umt5_huggingface.target_name("shared.weight") == "embedding.weight"


@pytest.mark.parametrize("layout", [umt5_huggingface, umt5_official])
@pytest.mark.parametrize(
    "name", ["stranger.weight", "norm.bias", "blocks.0.attn.q.bias", "encoder.block.x.layer.0.SelfAttention.q.weight"]
)
def test_a_name_of_no_layout_is_a_key_error(layout: Any, name: str) -> None:
    with pytest.raises(KeyError, match=name):
        layout.target_name(name)


def test_a_plain_t5_is_not_taken_for_a_umt5() -> None:
    first = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    assert not umt5_huggingface.recognises({"shared.weight", first, "encoder.block.1.layer.0.SelfAttention.q.weight"})


@pytest.mark.parametrize("told", [{"relative_attention_max_distance": "far"}, {"relative_attention_max_distance": 2}])
def test_a_config_that_does_not_fit_is_refused(told: dict[str, Any]) -> None:
    shapes = {
        "token_embedding.weight": (60, 32),
        "blocks.0.pos_embedding.embedding.weight": (32, 6),
        "blocks.0.attn.q.weight": (48, 32),
        "blocks.0.ffn.fc1.weight": (64, 32),
    }
    assert umt5_official.config_from(shapes, None).attention_width == 48
    with pytest.raises(BadInputError, match="do not fit"):
        umt5_official.config_from(shapes, told)
    with pytest.raises(BadInputError, match="lacks"):
        umt5_official.config_from({}, None)
