"""The chunk-causal forward is Self-Forcing's causal Wan: same weights, same numbers (float32, 5e-5).

Its keys are rotated to absolute positions before they are stored, ours at use: where positions coincide, so must the numbers.
"""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.interop.wan_official import from_wan_official, half_split_order
from engine.model.chunk import ChunkInputs, ReferenceContext
from engine.model.rotary import grid_angles, rotate, rotation_of
from engine.model.transformer import Transformer
from engine.model_config import AudioWindow, DitConfig
from engine.online.kv_cache import CacheLayout, KvCache
from engine.online.settings import HistoryWindow
from engine.references import ReferenceLatents

ORACLES = Path(__file__).parents[4] / "shared" / "oracles"
TOLERANCE = 5e-5
SPEAK_DIM = 24
CHUNK = 3
GRID = (4, 6)


@pytest.fixture(scope="module")
def oracle() -> dict[str, Tensor]:
    path = ORACLES / "causal_dit_tiny.safetensors"
    if not path.is_file():
        pytest.skip(f"the numeric oracle {path.name} is not beside this checkout (../shared/oracles)")
    return load_file(path)


@pytest.fixture(scope="module")
def model(oracle: dict[str, Tensor]) -> Transformer:
    facts = json.loads((ORACLES / "causal_dit_tiny.json").read_text())["config"]
    config = DitConfig(
        dim=facts["dim"],
        ffn_dim=facts["ffn_dim"],
        num_layers=facts["num_layers"],
        num_heads=facts["num_heads"],
        patch_size=tuple(facts["patch_size"]),
        in_channels=facts["in_dim"],
        out_channels=facts["out_dim"],
        text_dim=facts["text_dim"],
        speak_dim=SPEAK_DIM,
        listen_dim=SPEAK_DIM,
        frequency_dim=facts["freq_dim"],
        speak_window=AudioWindow(rows_per_latent=1, rows_before=0, rows_after=0),
        listen_window=AudioWindow(rows_per_latent=1, rows_before=0, rows_after=0),
    )
    model = Transformer(config).eval().requires_grad_(False)
    official = {key.removeprefix("weights."): value for key, value in oracle.items() if key.startswith("weights.")}
    missing, unexpected = model.load_state_dict(from_wan_official(official, config.num_heads), strict=False)
    assert not unexpected
    assert all("_audio" in key or key.startswith(("speak_", "listen_")) for key in missing)
    return model


class Stream:
    """Chunks of a film through one cache."""

    def __init__(self, model: Transformer, context: Tensor, history: HistoryWindow) -> None:
        self.model, self.text_BSD = model, context
        layout = CacheLayout(model=model.config, grid_HW=GRID, history=history)
        self.cache = KvCache(layout, torch.float32, torch.device("cpu"))
        nothing = ReferenceLatents.none_for(torch.zeros(1, 1, 16, 8, 12))
        self.references: ReferenceContext = model.encode_references(nothing)

    def chunk(self, latents_CFHW: Tensor, timestep_F: Tensor, writes: bool = True) -> Tensor:
        """The flow [C, F, H, W] of the next chunk, with sound that no weight lets through."""
        inputs = ChunkInputs(
            latents_BFCHW=latents_CFHW.transpose(0, 1)[None],
            timestep_BF=timestep_F[None].float(),
            text_BSD=self.text_BSD,
            speak_BAD=torch.randn(1, CHUNK, SPEAK_DIM),
            listen_BAD=torch.randn(1, CHUNK, SPEAK_DIM),
        )
        output = self.model.forward_chunk(inputs, self.cache.context(self.references))
        if writes:
            self.cache.write(output.layers)
        return output.output_BFCHW[0].transpose(0, 1)

    def keys_at(self, times: list[int]) -> Tensor:
        """The keys of layer 0 at the slots of these latents, rotated to their absolute positions, [tokens, N, K]."""
        slots = [slot for latent in times if (slot := self.cache._slot(latent)) is not None]
        keys_BSNK = self.cache._keys_LBFPNK[0][:, slots].flatten(1, 2)
        angles = grid_angles(torch.tensor([times]), *GRID, self.model.config)
        return rotate(keys_BSNK, rotation_of(angles, torch.float32))[0]


def padded(oracle: dict[str, Tensor]) -> Tensor:
    rows = oracle["context"]
    text_BSD = torch.zeros(1, 24, rows.shape[-1])
    text_BSD[0, : rows.shape[-2]] = rows
    return text_BSD


def chunks_of(latent_BCFHW: Tensor) -> list[Tensor]:
    return list(latent_BCFHW[0].split(CHUNK, dim=1))


@pytest.mark.parametrize("positions", ["window", "absolute"])
def test_clean_stream(model: Transformer, oracle: dict[str, Tensor], positions: str) -> None:
    history = HistoryWindow(sink_latents=3, window_latents=6, positions=positions)
    stream = Stream(model, padded(oracle), history)
    for index, latents_CFHW in enumerate(chunks_of(oracle["clean_latent"])):
        flow = stream.chunk(latents_CFHW, torch.zeros(CHUNK))
        assert (flow - oracle[f"clean_stream.chunk{index}.flow"][0]).abs().max() < TOLERANCE
    order = half_split_order(model.config.dim, model.config.num_heads)
    theirs = oracle["clean_stream.final_cache_layer0.k_roped"][0].flatten(1)[:, order]
    assert (stream.keys_at(list(range(9))).flatten(1) - theirs).abs().max() < TOLERANCE
    values = stream.cache._values_LBFPNK[0][:, [0, 1, 2, 3, 4, 5, 6, 7, 8]].flatten(1, 2)
    assert (values - oracle["clean_stream.final_cache_layer0.v"]).abs().max() < TOLERANCE


def test_noisy_stream(model: Transformer, oracle: dict[str, Tensor]) -> None:
    """Each chunk is noisy when it is predicted and clean when it becomes history."""
    stream = Stream(model, padded(oracle), HistoryWindow(sink_latents=3, window_latents=6))
    noisy, clean = chunks_of(oracle["noisy_latent"]), chunks_of(oracle["clean_latent"])
    timesteps = oracle["noisy_t"][0].split(CHUNK)
    for index in range(len(noisy)):
        flow = stream.chunk(noisy[index], timesteps[index], writes=False)
        assert (flow - oracle[f"noisy_stream.chunk{index}.flow"][0]).abs().max() < TOLERANCE
        stream.chunk(clean[index], torch.zeros(CHUNK))


def test_rolling_with_a_sink_at_absolute_positions(model: Transformer, oracle: dict[str, Tensor]) -> None:
    """Frames attended: 0 and the five before the end of the chunk; the slack keeps what the public cache still shows."""
    history = HistoryWindow(sink_latents=1, window_latents=2, slack_latents=3, positions="absolute")
    stream = Stream(model, padded(oracle), history)
    for index, latents_CFHW in enumerate(chunks_of(oracle["rolling.clean_latent"])):
        flow = stream.chunk(latents_CFHW, torch.zeros(CHUNK))
        assert (flow - oracle[f"rolling.chunk{index}.flow"][0]).abs().max() < TOLERANCE
    order = half_split_order(model.config.dim, model.config.num_heads)
    theirs = oracle["rolling.final_cache_layer0.k_roped"][0].flatten(1)[:, order]
    assert (stream.keys_at([0, 10, 11, 12, 13, 14]).flatten(1) - theirs).abs().max() < TOLERANCE


def test_positions_by_window_agree_until_they_part(model: Transformer, oracle: dict[str, Tensor]) -> None:
    """The same film under the paper's rule: the same numbers while nothing is evicted, others afterwards."""
    stream = Stream(model, padded(oracle), HistoryWindow(sink_latents=1, window_latents=2))
    errors = [
        (stream.chunk(latents_CFHW, torch.zeros(CHUNK)) - oracle[f"rolling.chunk{index}.flow"][0]).abs().max().item()
        for index, latents_CFHW in enumerate(chunks_of(oracle["rolling.clean_latent"]))
    ]
    assert max(errors[:2]) < TOLERANCE
    assert min(errors[2:]) > 100 * TOLERANCE
