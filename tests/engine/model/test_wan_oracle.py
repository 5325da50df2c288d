"""The transformer is Wan2.1's WanModel plus additions: same weights, same numbers (float32, 5e-5)."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.interop.wan_official import from_wan_official
from engine.model.transformer import DitInputs, Transformer
from engine.model_config import AudioWindow, DitConfig
from engine.references import ReferenceLatents

ORACLES = Path(__file__).parents[4] / "shared" / "oracles"
TOLERANCE = 5e-5
SPEAK_DIM = 24


@pytest.fixture(scope="module")
def oracle() -> dict[str, Tensor]:
    path = ORACLES / "wan_dit_t2v_tiny.safetensors"
    if not path.is_file():
        pytest.skip(f"the numeric oracle {path.name} is not beside this checkout (../shared/oracles)")
    return load_file(path)


@pytest.fixture(scope="module")
def model(oracle: dict[str, Tensor]) -> Transformer:
    facts = json.loads((ORACLES / "wan_dit_t2v_tiny.json").read_text())["config"]
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
        speak_window=AudioWindow(rows_per_latent=2, rows_before=1, rows_after=1),
        listen_window=AudioWindow(rows_per_latent=1, rows_before=3, rows_after=0),
    )
    model = Transformer(config).eval()
    official = {key.removeprefix("weights."): value for key, value in oracle.items() if key.startswith("weights.")}
    missing, unexpected = model.load_state_dict(from_wan_official(official, config.num_heads), strict=False)
    assert not unexpected
    assert all("_audio" in key or key.startswith(("speak_", "listen_")) for key in missing)
    return model


@pytest.mark.parametrize(("case", "sample"), [("square", 0), ("wide", 0), ("mixed_batch", 0), ("mixed_batch", 1)])
def test_wan_numbers(model: Transformer, oracle: dict[str, Tensor], case: str, sample: int) -> None:
    """With sound present but audio values at zero, the output is the public model's."""
    latents_CFHW, rows = oracle[f"{case}.x.{sample}"], oracle[f"{case}.context.{sample}"]
    frames = latents_CFHW.shape[1]
    text_BSD = torch.zeros(1, 32, rows.shape[1])
    text_BSD[0, : rows.shape[0]] = rows
    latents_BFCHW = latents_CFHW.transpose(0, 1).unsqueeze(0)
    inputs = DitInputs(
        latents_BFCHW=latents_BFCHW,
        timestep_BF=oracle[f"{case}.t"][sample].expand(1, frames),
        references=ReferenceLatents.none_for(latents_BFCHW),
        text_BSD=text_BSD,
        speak_BAD=torch.randn(1, 2 * frames, SPEAK_DIM),
        listen_BAD=torch.randn(1, frames, SPEAK_DIM),
    )
    with torch.no_grad():
        output_BFCHW = model(inputs)
    error = (output_BFCHW[0].transpose(0, 1) - oracle[f"{case}.out.{sample}"]).abs().max().item()
    assert error < TOLERANCE
