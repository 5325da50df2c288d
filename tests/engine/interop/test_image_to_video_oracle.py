"""The public image-to-video Wan2.1, CLIP branch and mask channels included: same weights, same numbers (float32, 5e-5)."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.interop import wan_official
from engine.interop.wan_image_to_video import WanImageToVideo, image_to_video_from
from engine.model.transformer import DitInputs
from engine.references import ReferenceLatents

ORACLES = Path(__file__).parents[4] / "shared" / "oracles"
TOLERANCE = 5e-5
TEXT_ROWS = 512


@pytest.fixture(scope="module")
def oracle() -> dict[str, Tensor]:
    path = ORACLES / "wan_dit_i2v_tiny.safetensors"
    if not path.is_file():
        pytest.skip(f"the numeric oracle {path.name} is not beside this checkout (../shared/oracles)")
    return load_file(path)


@pytest.fixture(scope="module")
def model(oracle: dict[str, Tensor]) -> WanImageToVideo:
    facts = json.loads((ORACLES / "wan_dit_i2v_tiny.json").read_text())["config"]
    official = {key.removeprefix("weights."): value for key, value in oracle.items() if key.startswith("weights.")}
    shapes = {name: tuple(tensor.shape) for name, tensor in official.items()}
    config = wan_official.config_from(shapes, facts)
    assert config.in_channels == 16  # what we keep; the whole public model sees 36
    image_dim = official["img_emb.proj.0.weight"].shape[0]
    return image_to_video_from(official, replace(config, in_channels=36), image_dim).eval()


def inputs_of(model: WanImageToVideo, oracle: dict[str, Tensor], case: str) -> DitInputs:
    config = model.transformer.config
    joined_CFHW = torch.cat([oracle[f"{case}.x.0"], oracle[f"{case}.y.0"]])
    rows = oracle[f"{case}.context.0"]
    frames = joined_CFHW.shape[1]
    text_BSD = torch.zeros(1, TEXT_ROWS, rows.shape[1])
    text_BSD[0, : rows.shape[0]] = rows
    latents_BFCHW = joined_CFHW.transpose(0, 1).unsqueeze(0)
    return DitInputs(
        latents_BFCHW=latents_BFCHW,
        timestep_BF=oracle[f"{case}.t"][0].expand(1, frames),
        references=ReferenceLatents.none_for(latents_BFCHW),
        text_BSD=text_BSD,
        speak_BAD=torch.randn(1, frames * config.speak_window.rows_per_latent, config.speak_dim),
        listen_BAD=torch.randn(1, frames * config.listen_window.rows_per_latent, config.listen_dim),
    )


@pytest.mark.parametrize("case", ["square", "tall"])
def test_image_to_video_numbers(model: WanImageToVideo, oracle: dict[str, Tensor], case: str) -> None:
    inputs = inputs_of(model, oracle, case)
    with torch.no_grad():
        output_BFCHW = model(inputs, oracle[f"{case}.clip_fea"])
        blind_BFCHW = model.transformer(inputs)
    wanted = oracle[f"{case}.out.0"]
    assert (output_BFCHW[0].transpose(0, 1) - wanted).abs().max().item() < TOLERANCE
    assert (blind_BFCHW[0].transpose(0, 1) - wanted).abs().max().item() > 100 * TOLERANCE  # the branch does matter
