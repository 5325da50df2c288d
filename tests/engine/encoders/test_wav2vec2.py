"""wav2vec 2.0: the public numbers (float32, 5e-5) of both forms, under either name of the position kernel."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.encoders.wav2vec2 import (
    WAV2VEC2_BASE,
    WAV2VEC2_LARGE,
    WAV2VEC2_TINY,
    Wav2Vec2,
    Wav2Vec2Config,
    Wav2Vec2Rows,
    normalised,
)
from engine.interop import wav2vec2_huggingface

ORACLES = Path(__file__).parents[4] / "shared" / "oracles"
TOLERANCE = 5e-5
KERNEL = "encoder.pos_conv_embed.conv."


@pytest.fixture(scope="module", params=["group", "layer"])
def oracle(request: pytest.FixtureRequest) -> dict[str, Tensor]:
    path = ORACLES / {"group": "wav2vec2_tiny.safetensors", "layer": "wav2vec2_stable_tiny.safetensors"}[request.param]
    if not path.is_file():
        pytest.skip(f"the numeric oracle {path.name} is not beside this checkout (../shared/oracles)")
    return load_file(path)


def network_of(weights: dict[str, Tensor]) -> Wav2Vec2:
    assert wav2vec2_huggingface.recognises(weights)
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    config = wav2vec2_huggingface.config_from(shapes, {"num_attention_heads": 4})
    named = {wav2vec2_huggingface.target_name(name): value for name, value in weights.items()}
    network = Wav2Vec2(config)
    network.load_state_dict({name: value for name, value in named.items() if name is not None}, strict=True)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def weights(oracle: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("weights."): value for name, value in oracle.items() if name.startswith("weights.")}


def error(ours: Tensor, theirs: Tensor) -> float:
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max())


def test_public_numbers_layer_by_layer(oracle: dict[str, Tensor], weights: dict[str, Tensor]) -> None:
    network = network_of(weights)
    sound_BS = oracle["waveform"]
    assert error(normalised(sound_BS), oracle["input_values"]) < TOLERANCE
    assert error(network.sound_features(oracle["input_values"]), oracle["extract_features"]) < TOLERANCE
    states = network.hidden_states(sound_BS, 3)
    for index, state in enumerate(states):
        assert error(state, oracle[f"hidden_states.{index}"]) < TOLERANCE, index
    assert error(network(sound_BS), oracle["last_hidden_state"]) < TOLERANCE


def test_older_names_of_the_position_kernel(oracle: dict[str, Tensor], weights: dict[str, Tensor]) -> None:
    older = {f"wav2vec2.{name}": value for name, value in weights.items() if "parametrizations" not in name}
    for part in ("weight_g", "weight_v"):
        older[f"wav2vec2.{KERNEL}{part}"] = oracle[f"weights_checkpoint_names.{KERNEL}{part}"]
    assert error(network_of(older)(oracle["waveform"]), oracle["last_hidden_state"]) < TOLERANCE


def test_fewer_layers_are_the_first_ones(weights: dict[str, Tensor]) -> None:
    network = network_of(weights)
    sound = torch.randn(1, 4000, generator=torch.Generator().manual_seed(2))
    all_states, first_states = network.hidden_states(sound, 3), network.hidden_states(sound, 1)
    assert len(first_states) == 2
    assert torch.equal(all_states[1], first_states[1])


def test_the_window_and_hop_of_the_convolutions() -> None:
    network = Wav2Vec2(WAV2VEC2_TINY).eval()
    assert (WAV2VEC2_TINY.window_samples, WAV2VEC2_TINY.hop_samples) == (400, 320)
    for num_samples, num_features in ((400, 1), (719, 1), (720, 2), (48_000, 149)):
        with torch.no_grad():
            assert network.sound_features(torch.zeros(1, num_samples)).shape[1] == num_features


def test_silence_stays_silent() -> None:
    assert not normalised(torch.zeros(1, 500)).any()


@pytest.mark.parametrize(("config", "num_parameters"), [(WAV2VEC2_BASE, 94_370_944), (WAV2VEC2_LARGE, 315_437_696)])
def test_the_published_sizes(config: Wav2Vec2Config, num_parameters: int) -> None:
    """As transformers counts them, less the embedding of masks that only training needs."""
    with torch.device("meta"):
        assert sum(weight.numel() for weight in Wav2Vec2(config).parameters()) == num_parameters


@pytest.mark.parametrize(
    "wrong",
    [{"form": "batch"}, {"num_heads": 7}, {"convolution_strides": (5, 2)}, {"rows": Wav2Vec2Rows(layers=(13,))}],
)
def test_sizes_that_do_not_fit_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        Wav2Vec2Config(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"stride_frames": 0}, {"history_frames": 10}, {"future_frames": -3}, {"layers": ()}])
def test_windows_that_are_no_whole_samples_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        Wav2Vec2Rows(**wrong)  # type: ignore[arg-type]
