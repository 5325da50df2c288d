"""Checkpoints that diffusers makes, of several sizes and seeds, convert and give diffusers' numbers (float32, 5e-5)."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.component_kinds import build_component
from engine.interop.convert import Conversion, convert
from engine.model.transformer import DitInputs
from engine.packs import load_weights, read_manifest
from engine.references import ReferenceLatents

TOLERANCE = 5e-5


def public_model(seed: int, heads: int, head_width: int, layers: int, **others: Any) -> Any:
    """A `WanTransformer3DModel` in which every number is random, biases, norms and the last layer too."""
    pytest.importorskip("diffusers", reason="diffusers makes the checkpoints: pip install diffusers")
    from diffusers import WanTransformer3DModel

    torch.manual_seed(seed)
    model = WanTransformer3DModel(
        num_attention_heads=heads,
        attention_head_dim=head_width,
        num_layers=layers,
        ffn_dim=heads * head_width * 2,
        text_dim=20,
        freq_dim=32,
        cross_attn_norm=True,
        rope_max_seq_len=64,
        **others,
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 100
            parameter.copy_(torch.randn_like(parameter) * fan_in**-0.5 + (0 if parameter.ndim > 1 else 0.5))
    return model


def ours(model: Any, latents_BFCHW: Tensor, timestep: float, text_BSD: Tensor) -> Tensor:
    frames, config = latents_BFCHW.shape[1], model.config
    inputs = DitInputs(
        latents_BFCHW=latents_BFCHW,
        timestep_BF=torch.full((1, frames), timestep),
        references=ReferenceLatents.none_for(latents_BFCHW),
        text_BSD=text_BSD,
        speak_BAD=torch.randn(1, frames * config.speak_window.rows_per_latent, config.speak_dim),
        listen_BAD=torch.randn(1, frames * config.listen_window.rows_per_latent, config.listen_dim),
    )
    output: Tensor = model(inputs)
    return output


@pytest.mark.parametrize(
    ("seed", "heads", "head_width", "layers", "shards"),
    [(0, 2, 12, 2, "10GB"), (1, 3, 32, 1, "100KB"), (2, 1, 24, 3, "20KB")],
)
def test_what_diffusers_made_converts_and_agrees(
    tmp_path: Path, seed: int, heads: int, head_width: int, layers: int, shards: str
) -> None:
    public = public_model(seed, heads, head_width, layers)
    public.save_pretrained(tmp_path / "source" / "transformer", max_shard_size=shards)
    report = convert(Conversion(sources=(tmp_path / "source",), folder=tmp_path / "pack", dtype=torch.float32))
    entry = read_manifest(report.folder).component("base")
    model = build_component(entry, "pack").eval()
    load_weights(report.folder, entry, model)
    latents_BFCHW, text_BSD = torch.randn(1, 3, 16, 6, 8), torch.randn(1, 9, 20)
    with torch.no_grad():
        wanted_BCFHW = public(
            hidden_states=latents_BFCHW.transpose(1, 2),
            timestep=torch.tensor([937.0]),
            encoder_hidden_states=text_BSD,
            return_dict=False,
        )[0]
        output_BFCHW = ours(model, latents_BFCHW, 937.0, text_BSD)
    error = (output_BFCHW.transpose(1, 2) - wanted_BCFHW).abs().max().item()
    assert wanted_BCFHW.std() > 0.1
    assert error < TOLERANCE


def test_image_to_video_in_diffusers_names_drops_clip_and_masks(tmp_path: Path) -> None:
    public = public_model(5, 2, 12, 2, in_channels=36, image_dim=16, added_kv_proj_dim=24)
    public.save_pretrained(tmp_path / "source")
    report = convert(Conversion(sources=(tmp_path / "source",), folder=tmp_path / "pack", dtype=torch.float32))
    clip = {name for name in public.state_dict() if "image_embedder" in name or "add_" in name or "norm_added" in name}
    assert clip and set(report.dropped) == clip
    entry = read_manifest(report.folder).component("base")
    model = build_component(entry, "pack")
    load_weights(report.folder, entry, model)
    kept = public.state_dict()["patch_embedding.weight"][:, :16].flatten(1)
    assert torch.equal(model.state_dict()["patch_embedding.weight"], kept)
