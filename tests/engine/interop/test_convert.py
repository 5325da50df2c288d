"""Public transformers become packs: in every form they come in, bit for bit, resumed after a kill, refused by name."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.component_kinds import build_component
from engine.errors import BadInputError
from engine.interop import tensor_file
from engine.interop.convert import Conversion, convert
from engine.interop.wan_official import from_wan_official
from engine.model.transformer import DitInputs, Transformer
from engine.packs import file_sha256, load_weights, read_manifest
from engine.references import ReferenceLatents
from tests.engine.interop.public_checkpoints import (
    DIM,
    FACTS,
    HEADS,
    TEXT,
    official_weights,
    write_config,
    write_pth,
    write_shards,
    write_single,
)

ROOT = Path(__file__).resolve().parents[3]
WRITE = tensor_file.TensorFileWriter.write


def converted(folder: Path) -> Transformer:
    entry = read_manifest(folder).component("base")
    module = build_component(entry, str(folder))
    load_weights(folder, entry, module)
    assert isinstance(module, Transformer)
    return module.eval()


def inputs_for(model: Transformer, speak_scale: float = 1.0) -> DitInputs:
    generator = torch.Generator().manual_seed(3)
    frames = 2
    latents_BFCHW = torch.randn(1, frames, 16, 4, 6, generator=generator)
    rows = {name: window.rows_per_latent * frames for name, window in (
        ("speak", model.config.speak_window),
        ("listen", model.config.listen_window),
    )}  # fmt: skip
    return DitInputs(
        latents_BFCHW=latents_BFCHW,
        timestep_BF=torch.full((1, frames), 700.0),
        references=ReferenceLatents.none_for(latents_BFCHW),
        text_BSD=torch.randn(1, 7, TEXT, generator=generator),
        speak_BAD=torch.randn(1, rows["speak"], model.config.speak_dim, generator=generator) * speak_scale,
        listen_BAD=torch.randn(1, rows["listen"], model.config.listen_dim, generator=generator) * speak_scale,
    )


def test_every_form_gives_the_same_pack(tmp_path: Path) -> None:
    weights = official_weights()
    sources = {
        "single": write_single(tmp_path / "a", weights),
        "file": write_single(tmp_path / "b", weights) / "diffusion_pytorch_model.safetensors",
        "shards": write_shards(tmp_path / "c", weights),
        "index": write_shards(tmp_path / "d", weights) / "diffusion_pytorch_model.safetensors.index.json",
        "pth": write_pth(tmp_path / "e", weights),
        "nested pth": write_pth(tmp_path / "f", weights, nested=True) / "model.pth",
    }
    hashes = set()
    for name, source in sources.items():
        report = convert(Conversion(sources=(source,), folder=tmp_path / f"pack {name}", dtype=torch.float32))
        assert report.missing_roles == ("codec", "text_encoder", "speak_encoder", "listen_encoder")
        assert {path.name for path in report.folder.iterdir()} == {"base.safetensors", "manifest.toml"}
        assert report.components[0].sha256 == file_sha256(report.folder / "base.safetensors")
        hashes.add(report.components[0].sha256)
    assert len(hashes) == 1
    assert not list(tmp_path.glob(".*"))


def test_right_after_conversion_sound_says_exactly_nothing(tmp_path: Path) -> None:
    """Bit for bit the base model: with sound, without, and with weights put into the class by hand."""
    weights = official_weights()
    source = write_single(tmp_path / "source", weights)
    report = convert(Conversion(sources=(source,), folder=tmp_path / "pack", dtype=torch.float32))
    model = converted(report.folder)
    by_hand = Transformer(model.config).eval()  # its own sound branches, also with values at zero
    unfilled = by_hand.load_state_dict(from_wan_official(weights, HEADS), strict=False)
    assert set(unfilled.missing_keys) == set(report.added) and not unfilled.unexpected_keys
    with torch.no_grad():
        loud, muted, base = model(inputs_for(model)), model(inputs_for(model, 0.0)), by_hand(inputs_for(model, 0.0))
    assert torch.equal(loud, muted) and torch.equal(loud, base)
    values = [tensor for name, tensor in model.state_dict().items() if name.endswith("v_audio.weight")]
    others = [
        tensor for name, tensor in model.state_dict().items() if name.endswith((".k_audio.weight", ".o_audio.weight"))
    ]
    assert len(values) == 2 and not any(value.any() for value in values)
    assert len(others) == 4 and all(other.std() > 0.05 for other in others)


def test_clip_and_mask_channels_of_image_to_video_are_dropped(tmp_path: Path) -> None:
    weights = official_weights(in_channels=36, has_image_branch=True)
    source = write_single(tmp_path / "source", weights)
    report = convert(Conversion(sources=(source,), folder=tmp_path / "pack", dtype=torch.float32))
    assert {name for name in weights if "img" in name} == set(report.dropped)
    model = converted(report.folder)
    assert model.config.in_channels == model.config.out_channels == 16
    kept = {name: tensor for name, tensor in weights.items() if "img" not in name}
    kept["patch_embedding.weight"] = kept["patch_embedding.weight"][:, :16]
    by_hand = Transformer(model.config).eval()
    by_hand.load_state_dict(from_wan_official(kept, HEADS), strict=False)
    with torch.no_grad():
        assert torch.equal(model(inputs_for(model)), by_hand(inputs_for(model)))


def test_bfloat16_keeps_timesteps_norms_and_modulation_in_float32(tmp_path: Path) -> None:
    source = write_single(tmp_path / "source", official_weights())
    report = convert(Conversion(sources=(source,), folder=tmp_path / "pack"))
    stored = load_file(report.folder / "base.safetensors")
    assert stored["blocks.0.ffn.0.weight"].dtype == torch.bfloat16
    for name in (
        "time_embedding.0.weight",
        "blocks.1.modulation",
        "blocks.0.self_attn.norm_q.weight",
        "head.modulation",
    ):
        assert stored[name].dtype == torch.float32


def complaint_about(weights: dict[str, Tensor], tmp_path: Path) -> str:
    source = write_single(tmp_path / "source", weights)
    with pytest.raises(BadInputError) as caught:
        convert(Conversion(sources=(source,), folder=tmp_path / "pack"))
    assert {path.name for path in tmp_path.iterdir()} == {"source"}
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_does_not_fit_is_listed_by_name_and_nothing_is_written(tmp_path: Path) -> None:
    weights = official_weights()
    del weights["blocks.1.cross_attn.o.bias"], weights["text_embedding.2.weight"]
    weights["blocks.0.surprise.weight"] = torch.zeros(3)
    weights["blocks.0.self_attn.v.weight"] = torch.zeros(DIM, DIM + 1)
    complaint = complaint_about(weights, tmp_path)
    assert "missing: text_embedding.2.weight, blocks.1.cross_attn.o.bias" in complaint
    assert "surplus: blocks.0.surprise.weight" in complaint
    assert f"of the wrong shape: blocks.0.self_attn.v.weight ({DIM}x{DIM + 1} for {DIM}x{DIM})" in complaint


def test_a_query_of_the_wrong_height_is_told_too(tmp_path: Path) -> None:
    weights = official_weights()
    weights["blocks.0.self_attn.q.weight"] = torch.zeros(DIM + 1, DIM)
    assert "of the wrong shape: blocks.0.self_attn.q.weight" in complaint_about(weights, tmp_path)


def test_a_wan_of_another_kind_is_refused(tmp_path: Path) -> None:
    weights = official_weights()
    del weights["patch_embedding.weight"]
    assert "nothing known in" in complaint_about(weights, tmp_path)


@pytest.mark.parametrize("what", ["missing", "empty", "text", "truncated", "pickle", "lost shard", "path", "two"])
def test_sources_that_are_none_get_one_line(tmp_path: Path, what: str) -> None:
    source = write_shards(tmp_path / "source", official_weights())
    shard = source / "diffusion_pytorch_model-00002-of-00003.safetensors"
    index = source / "diffusion_pytorch_model.safetensors.index.json"
    if what == "missing":
        source = tmp_path / "nowhere"
    elif what == "empty":
        source = tmp_path / "empty"
        source.mkdir()
    elif what == "text":
        source = index.with_name("notes.txt")
        source.write_text("hello")
    elif what == "truncated":
        shard.write_bytes(shard.read_bytes()[:-5])
    elif what == "pickle":
        source = tmp_path / "evil.pth"
        torch.save({"patch_embedding.weight": subprocess.Popen}, source)
    elif what == "lost shard":
        shard.unlink()
    elif what == "path":
        index.write_text(json.dumps({"weight_map": {"a": "../../other.safetensors"}}))
    elif what == "two":
        write_single(source / "again", official_weights())
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInputError) as caught:
        convert(Conversion(sources=(source,), folder=tmp_path / "pack"))
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_pack_that_is_there_is_left_alone(tmp_path: Path) -> None:
    source = write_single(tmp_path / "source", official_weights())
    (tmp_path / "pack").mkdir()
    with pytest.raises(BadInputError, match="already there"):
        convert(Conversion(sources=(source,), folder=tmp_path / "pack"))


KILLED = """
import os, signal, sys
from pathlib import Path
from engine.interop import tensor_file
from engine.interop.convert import Conversion, convert
write, count = tensor_file.TensorFileWriter.write, [0]
def write_or_die(self, tensor):
    if count[0] == 20:
        self._file.write(b"half a tensor")
        self._file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    count[0] += 1
    write(self, tensor)
tensor_file.TensorFileWriter.write = write_or_die
convert(Conversion(sources=(Path(sys.argv[1]),), folder=Path(sys.argv[2])))
"""


def test_a_killed_conversion_goes_on_where_it_was(tmp_path: Path) -> None:
    source = write_shards(tmp_path / "source", official_weights())
    whole = convert(Conversion(sources=(source,), folder=tmp_path / "whole"))
    conversion = Conversion(sources=(source,), folder=tmp_path / "pack")
    command = [sys.executable, "-c", KILLED, str(source), str(conversion.folder)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert not conversion.folder.exists() and (tmp_path / ".pack.partial").is_dir()
    resumed = convert(conversion)
    assert resumed.num_resumed == 20
    assert resumed.components[0].sha256 == whole.components[0].sha256
    assert file_sha256(resumed.folder / "base.safetensors") == whole.components[0].sha256
    assert not (tmp_path / ".pack.partial").exists()


def write_until_interrupted(writer: tensor_file.TensorFileWriter, tensor: Tensor) -> None:
    if writer.num_resumed == 20:
        raise KeyboardInterrupt
    WRITE(writer, tensor)


@pytest.mark.parametrize("damage", ["data", "journal", "header", "source"])
def test_a_damaged_beginning_is_not_believed(tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_single(tmp_path / "source", official_weights())
    whole = convert(Conversion(sources=(source,), folder=tmp_path / "whole"))
    conversion = Conversion(sources=(source,), folder=tmp_path / "pack")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(tensor_file.TensorFileWriter, "write", write_until_interrupted)
        convert(conversion)
    partial = tmp_path / ".pack.partial"
    path = partial / ("base.journal" if damage == "journal" else "base.safetensors")
    content = bytearray(path.read_bytes())
    place = 12 if damage == "header" else len(content) // 2
    content[place] ^= 1
    path.write_bytes(bytes(content))
    if damage == "source":  # the same names with other numbers, written later
        file = source / "diffusion_pytorch_model.safetensors"
        save_file({name: tensor + 1 for name, tensor in load_file(file).items()}, file)
        os.utime(file, ns=(1, 1))
    resumed = convert(conversion)
    assert resumed.num_resumed < 20
    assert (resumed.components[0].sha256 == whole.components[0].sha256) == (damage != "source")
    assert file_sha256(resumed.folder / "base.safetensors") == resumed.components[0].sha256


def test_without_config_json_only_published_head_widths_are_guessed(tmp_path: Path) -> None:
    source = write_single(tmp_path / "source", official_weights())
    (source / "config.json").unlink()
    with pytest.raises(BadInputError, match=r"put its config\.json beside"):
        convert(Conversion(sources=(source,), folder=tmp_path / "pack"))
    write_config(source)
    (source / "config.json").write_text(json.dumps(FACTS | {"num_heads": 7}))
    with pytest.raises(BadInputError, match="do not fit our transformer"):
        convert(Conversion(sources=(source,), folder=tmp_path / "pack"))


def test_the_header_is_what_safetensors_writes(tmp_path: Path) -> None:
    tensors = {"b": torch.randn(3, 2), "a": torch.arange(5), "c": torch.randn(4).bfloat16(), "e": torch.zeros(0, 3)}
    specs = {name: tensor_file.TensorSpec(shape=tuple(t.shape), dtype=t.dtype) for name, t in tensors.items()}
    with tensor_file.TensorFileWriter(tmp_path / "x.safetensors", specs) as writer:
        for tensor in tensors.values():
            writer.write(tensor)
        assert writer.sha256() == file_sha256(tmp_path / "x.safetensors")
    again = load_file(tmp_path / "x.safetensors")
    assert all(torch.equal(again[name], tensor) for name, tensor in tensors.items())
    assert replace(specs["a"], shape=(2, 5)).nbytes == 80


MEASURED = """
import sys
from pathlib import Path
from engine.interop.convert import Conversion, convert
from engine.memory import peak_memory_mb
before_mb = peak_memory_mb()
convert(Conversion(sources=(Path(sys.argv[1]),), folder=Path(sys.argv[2])))
sys.stdout.write(str(peak_memory_mb() - before_mb))
"""


@pytest.mark.long
@pytest.mark.parametrize("form", ["safetensors", "pth"])
def test_memory_holds_one_tensor_and_not_the_checkpoint(tmp_path: Path, form: str) -> None:
    weights = official_weights()
    for layer in range(2, 42):  # 40 layers with a large tensor each, 320 MB in all
        for name in [name for name in weights if name.startswith("blocks.0.")]:
            weights[name.replace("blocks.0.", f"blocks.{layer}.")] = weights[name].clone()
    for name in [name for name in weights if ".ffn." in name]:
        shape = [80_000 if side == 40 else side for side in weights[name].shape]
        weights[name] = torch.zeros(shape, dtype=torch.bfloat16)
    write = write_single if form == "safetensors" else write_pth
    source = write(tmp_path / "source", weights)
    command = [sys.executable, "-c", MEASURED, str(source), str(tmp_path / "pack")]
    grown_mb = float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    size_mb = (tmp_path / "pack" / "base.safetensors").stat().st_size / 2**20
    assert size_mb > 300
    assert grown_mb < size_mb / 2
