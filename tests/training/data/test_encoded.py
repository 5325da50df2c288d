"""Sounds and captions are encoded once for each shard and encoders, and again where either is another."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.encoders.audio import AudioEncoder, AudioEncoderConfig
from engine.encoders.text import TextEncoder, TextEncoderConfig
from training.data import encoded
from training.data.clips import LEAD_FRAMES
from training.data.encoded import ClipEncoders, encode_clips, encoded_clips
from training.data.shards import CLIPS_PER_SHARD

FRAMES = LEAD_FRAMES + 8


def _encoders(seed: int = 0) -> ClipEncoders:
    torch.manual_seed(seed)
    sound = AudioEncoderConfig(width=4, dilations=(1,), lookahead_frames=(0,), frames_per_row=4)
    speak, listen, text = AudioEncoder(sound), AudioEncoder(sound), TextEncoder(TextEncoderConfig())
    return ClipEncoders.of(speak.eval(), listen.eval(), text.eval())


def _write(folder: Path, number: int, seed: int) -> dict[str, Tensor]:
    drawn = torch.Generator().manual_seed(seed)
    sounds = {
        name: torch.randint(-9999, 9999, (CLIPS_PER_SHARD, FRAMES * 1000), generator=drawn).short()
        for name in ("speak_S", "listen_S")
    }
    clips = {
        **sounds,
        "text_NL": torch.randint(97, 122, (CLIPS_PER_SHARD, 2, 128), generator=drawn).byte(),
        "latents_FCHW": torch.randn(CLIPS_PER_SHARD, 2, 3, 1, 1, generator=drawn).half(),
    }
    save_file(clips, folder / f"clips-{number:06d}.safetensors")
    return clips


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each shard that is encoded."""
    calls: list[int] = []

    def counting(clips: dict[str, Tensor], encoders: ClipEncoders) -> dict[str, Tensor]:
        calls.append(len(clips["speak_S"]))
        return encode_clips(clips, encoders)

    monkeypatch.setattr(encoded, "encode_clips", counting)
    return calls


def test_each_shard_is_encoded_once_and_rows_are_those_of_the_encoders(tmp_path: Path, counted: list[int]) -> None:
    shards = [_write(tmp_path, number, number) for number in range(2)]
    encoders = _encoders()
    first, second = encoded_clips(tmp_path, encoders), encoded_clips(tmp_path, encoders)
    assert len(counted) == 2
    assert first.num_clips == 2 * CLIPS_PER_SHARD
    assert first.clips.keys() == {"latents_FCHW", "number"}
    truth = encode_clips(shards[1], encoders)
    for name, rows in truth.items():
        assert torch.equal(getattr(second, name)[CLIPS_PER_SHARD:], rows)
    assert first.speak_NAD.shape[1:] == (2, 16)
    assert first.listen_NAD.shape[1:] == (4, 16)


def test_other_encoders_and_a_shard_built_anew_are_noticed(tmp_path: Path, counted: list[int]) -> None:
    _write(tmp_path, 0, 0)
    before = encoded_clips(tmp_path, _encoders())
    assert not torch.equal(before.speak_NAD, encoded_clips(tmp_path, _encoders(seed=1)).speak_NAD)
    _write(tmp_path, 0, 9)
    os.utime(tmp_path / "clips-000000.safetensors", ns=(0, 0))
    assert not torch.equal(before.speak_NAD, encoded_clips(tmp_path, _encoders()).speak_NAD)
    assert len(counted) == 3
    (rows,) = tmp_path.glob(f"encoded-{_encoders().name}/*.rows")
    rows.write_bytes(rows.read_bytes()[:100])  # a disk that was full
    assert encoded_clips(tmp_path, _encoders()).num_clips == CLIPS_PER_SHARD
    assert len(counted) == 4


def test_processes_share_the_shards(tmp_path: Path, counted: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        _write(tmp_path, number, number)
    encoded_clips(tmp_path, _encoders())
    for rows in sorted(tmp_path.glob("encoded-*/*.rows"))[::2]:
        rows.unlink()
    counted.clear()
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert encoded_clips(tmp_path, _encoders()).num_clips == 3 * CLIPS_PER_SHARD
    assert len(counted) == 2
