"""Networks that got more channels of latents begin as what they were."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.codec.folded_vae import FoldedVae
from engine.errors import BadInputError
from engine.model.transformer import DitInputs, Transformer
from engine.model_config import DitConfig
from engine.packs import save_as, save_weights
from engine.references import ReferenceLatents
from tests.engine.codec.test_fine_channels import FINE, PLAIN
from training.grown_weights import fill_grown, knows

NARROW = DitConfig(
    dim=32,
    ffn_dim=32,
    num_layers=1,
    num_heads=2,
    patch_size=(1, 1, 1),
    in_channels=3,
    out_channels=3,
    text_dim=4,
    speak_dim=4,
    listen_dim=4,
    is_shown_posed_anchor=True,
)
WIDE = replace(NARROW, in_channels=7, out_channels=7)


def inputs(channels: int) -> DitInputs:
    generator = torch.Generator().manual_seed(5)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    wide_BFCHW, posed_BFCHW, reference_RCHW = noise(1, 2, 7, 4, 4), noise(1, 2, 7, 4, 4), noise(1, 7, 4, 4)
    references = ReferenceLatents.of_names(reference_RCHW[:, :channels], [("global", "")])
    return DitInputs(
        latents_BFCHW=wide_BFCHW[:, :, :channels],
        timestep_BF=torch.full((1, 2), 700.0),
        references=replace(references, posed_BFCHW=posed_BFCHW[:, :, :channels]),
        text_BSD=noise(1, 3, 4),
        speak_BAD=noise(1, 8, 4),
        listen_BAD=noise(1, 8, 4),
        speak_start_row=0,
        listen_start_row=0,
    )


@pytest.mark.parametrize("stored", ["float32", "int8"])
@torch.no_grad()
def test_a_wider_transformer_says_what_the_narrow_one_said(tmp_path: Path, stored: str) -> None:
    torch.manual_seed(0)
    narrow = Transformer(NARROW).eval()
    for parameter in narrow.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    path = tmp_path / "base.safetensors"
    save_as(path, narrow, stored)
    fill_grown(path, narrow)  # as it was stored
    wide = Transformer(WIDE).eval()
    fill_grown(path, wide)
    said, before = wide(inputs(7)), narrow(inputs(3))
    assert torch.allclose(said[:, :, :3], before, atol=1e-5)
    assert before.abs().max() > 0.1
    assert not said[:, :, 3:].any()


@torch.no_grad()
def test_a_codec_with_fine_channels_begins_as_the_one_without(tmp_path: Path) -> None:
    torch.manual_seed(0)
    plain = FoldedVae(PLAIN).eval()
    plain.latent_mean.normal_()
    plain.latent_std.uniform_(0.5, 2.0)
    path = tmp_path / "codec.safetensors"
    save_weights(path, plain)
    fine = FoldedVae(FINE).eval()
    fill_grown(path, fine)
    pixels = torch.rand(1, 8, 3, 24, 24) * 2 - 1
    assert torch.equal(fine.encode(pixels)[:, :, :8], plain.encode(pixels))
    assert torch.equal(fine.latent_std[8:], torch.ones(FINE.latent_channels - 8))
    assert not knows(path, "fine.basis")
    save_weights(path, fine)
    assert knows(path, "fine.basis")


def test_a_wider_file_does_not_become_narrow(tmp_path: Path) -> None:
    path = tmp_path / "base.safetensors"
    save_weights(path, Transformer(WIDE))
    with pytest.raises(BadInputError, match="cannot grow to"):
        fill_grown(path, Transformer(NARROW))


def test_what_is_missing_or_foreign_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="train it first"):
        fill_grown(tmp_path / "base.safetensors", Transformer(NARROW))
    (tmp_path / "base.safetensors").write_bytes(b"no weights")
    with pytest.raises(BadInputError, match="cannot be read as weights"):
        fill_grown(tmp_path / "base.safetensors", Transformer(NARROW))
    with pytest.raises(BadInputError, match="cannot be read as weights"):
        knows(tmp_path / "base.safetensors", "fine.basis")
    save_weights(tmp_path / "base.safetensors", torch.nn.Linear(2, 2))
    with pytest.raises(BadInputError, match="does not fit Transformer: it has bias"):
        fill_grown(tmp_path / "base.safetensors", Transformer(NARROW))
