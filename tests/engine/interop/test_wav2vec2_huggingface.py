"""wav2vec 2.0 models that transformers makes, of other sizes and seeds, convert and agree within 5e-5 in float32."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.encoders.wav2vec2 import Wav2Vec2, normalised
from engine.errors import BadInputError
from engine.interop import wav2vec2_huggingface

TOLERANCE = 5e-5
GROUP = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40, "conv_dim": [12, 10, 8],
    "conv_kernel": [10, 3, 2], "conv_stride": [5, 3, 2], "num_conv_pos_embeddings": 15, "num_conv_pos_embedding_groups": 4,
}  # fmt: skip
LAYER = GROUP | {
    "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2, "num_conv_pos_embeddings": 16, "feat_extract_norm": "layer",
    "do_stable_layer_norm": True, "conv_bias": True, "layer_norm_eps": 1e-4,
}  # fmt: skip


def transformers_model(kind: str, case: dict[str, Any]) -> Any:
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed (pip install lpm-studio[peers])"
    )
    torch.manual_seed(len(case))
    theirs = getattr(transformers, kind)(transformers.Wav2Vec2Config(**case)).eval().requires_grad_(False)
    for name, weight in theirs.named_parameters():
        is_gain = weight.ndim == 1 and name.endswith("weight")
        weight.copy_(
            1 + 0.2 * torch.randn_like(weight) if is_gain else torch.randn_like(weight) * weight[0].numel() ** -0.5
        )
    return theirs


@pytest.mark.parametrize("kind", ["Wav2Vec2Model", "Wav2Vec2ForCTC", "Wav2Vec2ForPreTraining"])
@pytest.mark.parametrize("case", [GROUP, LAYER], ids=["group", "layer"])
def test_a_model_saved_by_transformers_gives_the_same_numbers(kind: str, case: dict[str, Any], tmp_path: Path) -> None:
    theirs = transformers_model(kind, case)
    theirs.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    assert wav2vec2_huggingface.recognises(weights)
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    ours = Wav2Vec2(wav2vec2_huggingface.config_from(shapes, theirs.config.to_dict())).eval().requires_grad_(False)
    named = {wav2vec2_huggingface.target_name(name): tensor for name, tensor in weights.items()}
    ours.load_state_dict({name: tensor for name, tensor in named.items() if name is not None}, strict=True)
    sound = torch.randn(2, 3000) * 0.3 + 0.1
    network = theirs if kind == "Wav2Vec2Model" else theirs.wav2vec2
    found = network(normalised(sound), output_hidden_states=True)
    assert (ours(sound) - (found.last_hidden_state)).abs().max() < TOLERANCE
    states = ours.hidden_states(sound, case["num_hidden_layers"])
    for our_state, their_state in zip(states[:-1], found.hidden_states[:-1], strict=True):
        assert (our_state - their_state).abs().max() < TOLERANCE


def test_the_feature_extractor_of_transformers_normalises_alike() -> None:
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed (pip install lpm-studio[peers])"
    )
    sound = torch.randn(2000) * 0.1 + 0.3
    theirs = transformers.Wav2Vec2FeatureExtractor()(
        sound.numpy(), sampling_rate=16_000, return_tensors="pt"
    ).input_values
    assert (normalised(sound[None]) - theirs).abs().max() < TOLERANCE


@pytest.mark.parametrize(
    "name", ["masked_spec_embed", "wav2vec2.masked_spec_embed", "lm_head.weight", "quantizer.codevectors"]
)
def test_what_only_training_needs_is_dropped(name: str) -> None:
    assert wav2vec2_huggingface.target_name(name) is None


@pytest.mark.parametrize("name", ["stranger", "encoder.layers.0.attention.q_proj.scale", "adapter.proj.weight"])
def test_a_name_of_no_layout_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        wav2vec2_huggingface.target_name(name)


def test_models_that_are_none_of_ours_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"sizes that do not fit|lacks"):
        wav2vec2_huggingface.config_from({}, None)
    shapes = {
        "feature_extractor.conv_layers.0.conv.weight": (8, 1, 10),
        "encoder.pos_conv_embed.conv.weight_v": (16, 4, 16),
        "encoder.layers.0.feed_forward.intermediate_dense.weight": (32, 16),
    }
    assert wav2vec2_huggingface.config_from(shapes, {"conv_stride": [5]}).position_groups == 4
    with pytest.raises(BadInputError, match="same number of convolutions"):
        wav2vec2_huggingface.config_from(shapes, None)
    with pytest.raises(BadInputError, match="mixes the norms"):
        wav2vec2_huggingface.config_from(shapes, {"conv_stride": [5], "do_stable_layer_norm": True})
