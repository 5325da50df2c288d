"""A whole public model, as its makers' libraries save it, becomes a pack that performs: transformer, codec, encoders, tokenizer."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.base.job import PerformJob
from engine.base.performer import perform
from engine.codec.wan.codec import WanVae
from engine.encoders.umt5_text import Umt5TextEncoder
from engine.encoders.wav2vec2_audio import Wav2Vec2AudioEncoder
from engine.errors import BadInputError, BadPackError
from engine.interop.convert import Conversion, convert
from engine.loaded_pack import load_pack
from tests.engine.interop.public_checkpoints import TEXT, official_weights, write_single
from tests.engine.small_pack import small_character
from tests.engine.tiny_tokenizer import write_tokenizer

VAE = {"base_dim": 4, "z_dim": 16, "num_res_blocks": 1, "temperal_downsample": [False, True, True]}
UMT5 = {"vocab_size": 60, "d_model": TEXT, "d_kv": 4, "d_ff": 12, "num_layers": 2, "num_heads": 2}
WAV2VEC2 = {
    "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24, "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as it is published: one folder for each part."""
    folder = tmp_path_factory.mktemp("public")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers = pytest.importorskip("transformers", reason="pip install lpm-studio[peers]")
        diffusers = pytest.importorskip("diffusers", reason="pip install lpm-studio[peers]")
        torch.manual_seed(5)
        diffusers.AutoencoderKLWan(**VAE).save_pretrained(folder / "vae")
        transformers.UMT5EncoderModel(transformers.UMT5Config(**UMT5)).save_pretrained(folder / "text_encoder")
        transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**WAV2VEC2)).save_pretrained(folder / "wav2vec2")
    write_single(folder / "transformer", official_weights())
    write_tokenizer(folder / "tokenizer")
    return folder


@pytest.fixture(scope="module")
def pack_folder(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packs") / "whole"
    report = convert(Conversion(sources=(source,), folder=folder, dtype=torch.float32, size_px=32))
    assert report.missing_roles == ()
    return folder


def test_the_parts_stand_in_their_roles(pack_folder: Path) -> None:
    pack = load_pack(pack_folder)
    assert isinstance(pack.codec, WanVae)
    assert isinstance(pack.text_encoder, Umt5TextEncoder)
    assert isinstance(pack.speak_encoder, Wav2Vec2AudioEncoder) and isinstance(
        pack.listen_encoder, Wav2Vec2AudioEncoder
    )
    assert (pack.speak_encoder.frames_per_row, pack.listen_encoder.frames_per_row) == (1, 2)
    assert pack.speak_encoder.row_width == pack.transformer.config.speak_dim == 16
    assert pack.text_encoder.encode(["she smiles"]).shape == (1, 512, TEXT)
    assert not any(weight.requires_grad for weight in pack.text_encoder.parameters())


def test_the_pack_performs(pack_folder: Path) -> None:
    voice_S = 0.3 * np.random.default_rng(0).standard_normal(22_000).astype(np.float32)
    job = PerformJob(character=small_character(), num_frames=22, speak_S=voice_S, listen_S=None, num_steps=1)
    frames_THWC = np.concatenate([piece.frames_THWC for piece in perform(load_pack(pack_folder), job)])
    assert frames_THWC.shape == (22, 32, 32, 3)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("tokenizer.json", None, "tokenizer.json is missing"),
        ("tokenizer.json", lambda text: text + " ", "tokenizer.json is damaged"),
        ("manifest.toml", lambda text: text.replace('"wan_vae"', '"magic"'), "magic"),
        ("manifest.toml", lambda text: text.replace("frames_per_row = 2", "frames_per_row = 1"), "takes 2 rows"),
        ("manifest.toml", lambda text: text.replace('role = "codec"', 'role = "c"').replace('role = "base"', 'role = "codec"')
            .replace('role = "c"', 'role = "base"'), "is no"),
    ],
    ids=["no tokenizer", "another tokenizer", "unknown kind", "rows out of step", "roles swapped"],
)  # fmt: skip
def test_a_pack_that_cannot_work_is_refused(pack_folder: Path, name: str, change: object, message: str) -> None:
    path = pack_folder / name
    content = path.read_text()
    try:
        if callable(change):
            path.write_text(change(content))
            assert path.read_text() != content
        else:
            path.unlink()
        with pytest.raises(BadPackError, match=message):
            load_pack(pack_folder)
    finally:
        path.write_text(content)


def test_without_a_tokenizer_nothing_is_converted(source: Path, tmp_path: Path) -> None:
    lonely = tmp_path / "lonely"
    lonely.mkdir()
    (lonely / "model.safetensors").write_bytes((source / "text_encoder" / "model.safetensors").read_bytes())
    with pytest.raises(BadInputError, match=r"tokenizer\.json"):
        convert(Conversion(sources=(lonely,), folder=tmp_path / "pack"))
    assert not (tmp_path / "pack").exists()
