"""A whole pack from checkpoints that diffusers and transformers made, and a film performed with it: random weights, smallest sizes."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from engine.character_writing import NewCharacter, NewReference, write_character
from engine.characters import Origin, ReferenceKind
from engine.locations import HOME_VARIABLE
from engine.media.film_reading import probe_film
from engine.packs import read_manifest
from studio.cli import main
from tests.engine.interop.public_checkpoints import official_weights, write_single

TEXT_WIDTH = 24


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))


def peers() -> tuple[Any, Any, Any]:
    reason = "the checkpoints are made with diffusers, transformers and tokenizers (pip install lpm-studio[peers])"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(pytest.importorskip(name, reason=reason) for name in ("diffusers", "transformers", "tokenizers"))


def write_pipeline(folder: Path) -> Path:
    """Transformer, VAE, UMT5 with a tokenizer, in the folders of a diffusers pipeline."""
    diffusers, transformers, tokenizers = peers()
    torch.manual_seed(0)
    diffusers.WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=12, num_layers=2, ffn_dim=32, text_dim=TEXT_WIDTH, freq_dim=16
    ).save_pretrained(folder / "transformer")
    diffusers.AutoencoderKLWan(base_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1).save_pretrained(folder / "vae")
    sizes = {"d_model": TEXT_WIDTH, "d_kv": 6, "d_ff": 20, "num_layers": 2, "num_heads": 2, "vocab_size": 64}
    transformers.UMT5EncoderModel(transformers.UMT5Config(**sizes)).save_pretrained(folder / "text_encoder")
    words = {"<pad>": 0, "</s>": 1, "<unk>": 2, "smiles": 3, "nods": 4}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    (folder / "tokenizer").mkdir()
    tokenizer.save(str(folder / "tokenizer" / "tokenizer.json"))
    return folder


def write_ears(folder: Path) -> Path:
    """A wav2vec 2.0 model."""
    _, transformers, _ = peers()
    sizes = {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 20, "conv_dim": [8] * 7,
        "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2,
    }  # fmt: skip
    transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**sizes)).save_pretrained(folder)
    return folder


def write_grey(folder: Path) -> Path:
    grey_HWC = np.full((48, 48, 3), 120, np.uint8)
    reference = NewReference(kind=ReferenceKind.GLOBAL, subtype="", picture_HWC=grey_HWC)
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_character(
        folder,
        NewCharacter(name="Grey", description="", origin=Origin.SYNTHETIC, consent="drawn", references=[reference]),
    )
    return folder


def test_a_pack_from_public_checkpoints_performs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline, ears = write_pipeline(tmp_path / "pipeline"), write_ears(tmp_path / "ears")
    pack = tmp_path / "home" / "models" / "public"
    words = ["models", "convert", str(pipeline), str(ears), "-o", str(pack), "--size", "32", "--dtype", "float32"]
    assert main([*words, "--steps", "1"]) == 0
    assert "tensors begun anew" in capsys.readouterr().out
    assert {entry.role for entry in read_manifest(pack).components} == {
        "base", "codec", "text_encoder", "speak_encoder", "listen_encoder",
    }  # fmt: skip
    assert main(["models", "verify", "public"]) == 0
    assert main(["models", "info", "public"]) == 0
    voice = tmp_path / "voice.wav"
    soundfile.write(voice, np.sin(np.arange(48000) / 20) * 0.3, 24000)
    film, report = tmp_path / "film.mp4", tmp_path / "film.json"
    grey = write_grey(tmp_path / "grey")
    performed = ["perform", "--character", str(grey), "--pack", "public", "--speak", str(voice), "--listen", str(voice)]
    assert main([*performed, "--prompt", "smiles, nods", "-o", str(film), "--report", str(report)]) == 0
    facts = probe_film(film)
    assert facts.num_frames == json.loads(report.read_text())["frames"] == 48


def test_a_transformer_alone_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, pack = write_single(tmp_path / "source", official_weights()), tmp_path / "pack"
    assert main(["models", "convert", str(source), "-o", str(pack)]) == 0
    said = capsys.readouterr().out
    assert "also needs: codec, text_encoder, speak_encoder, listen_encoder" in said
    assert main(["models", "convert", str(source), "-o", str(pack)]) == 1
    assert "already there" in capsys.readouterr().err
    assert main(["perform", "--character", "x", "--pack", str(pack), "-o", str(tmp_path / "a.mp4")]) == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--size", "100"), "multiple of 16"),
        (("--shift", "0"), "--shift is 0.1 to 100"),
        (("--steps", "0"), "--steps 1 to 1000"),
        ((), "does not exist"),
    ],
)
def test_what_cannot_be_gets_one_line(
    tmp_path: Path, words: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "convert", str(tmp_path / "nowhere"), "-o", str(tmp_path / "pack"), *words]) == 1
    written = capsys.readouterr().err
    assert complaint in written and written.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_model_forwards_with_its_blocks_on_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = tmp_path / "figures.json"
    words = ["models", "forward", "tiny", "--resolution", "48x72", "--references", "1", "--json", str(figures)]
    assert main([*words, "--weights", str(tmp_path / "weights")]) == 0
    facts = json.loads(figures.read_text())
    assert facts["output_shape"] == [1, 2, 64, 3, 2] and facts["is_finite"] and facts["output_std"] > 0.1
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["base.safetensors"]
    capsys.readouterr()
    assert main(["models", "forward", "17b", "--resolution", "100x100"]) == 1
    assert "nearest size" in capsys.readouterr().err
