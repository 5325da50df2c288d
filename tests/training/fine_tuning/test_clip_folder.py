"""A folder of clips becomes features of a pack, and fine-tuning on them learns; a clip that cannot be used is named."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import LoadedPack, load_pack
from engine.errors import BadInputError
from engine.flow.preconditioning import preconditioning_named
from engine.media.film import FilmWriter
from engine.media.sound import write_wav
from engine.model_config import AudioWindow
from tests.engine import small_pack
from tests.engine.small_pack import SIZE_PX
from training.distillation.teacher import WindowedScore
from training.fine_tuning.clip_folder import read_folder
from training.fine_tuning.estimate import measure_steps
from training.parallel import World
from training.tasks.fine_tuning import FineTuningTask


def write_clip(folder: Path, num_frames: int, seed: int) -> None:
    """Grey noise with a tone and a line of direction."""
    folder.mkdir(parents=True)
    frames_THWC = np.random.default_rng(seed).integers(0, 255, (num_frames, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    with FilmWriter(folder / "clip.mp4", size_px=SIZE_PX) as writer:
        writer.append(frames_THWC)
        writer.commit()
    tone_S = 0.2 * np.sin(np.arange(num_frames * 1000) / 20.0).astype(np.float32)
    write_wav(folder / "speak.wav", tone_S)
    (folder / "clip.txt").write_text("smiles", encoding="utf-8")


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadedPack:
    """A small pack that hears one row a latent."""
    speak, listen = replace(small_pack.SPEAK, frames_per_row=4), replace(small_pack.LISTEN, frames_per_row=4)
    base = replace(
        small_pack.BASE,
        speak_dim=speak.row_width,
        listen_dim=listen.row_width,
        speak_window=AudioWindow(rows_per_latent=1, rows_before=0, rows_after=0),
        listen_window=AudioWindow(rows_per_latent=1, rows_before=2, rows_after=0),
    )
    for name, config in (("SPEAK", speak), ("LISTEN", listen), ("BASE", base)):
        monkeypatch.setattr(small_pack, name, config)
    (tmp_path / "pack").mkdir()
    return load_pack(small_pack.write_small_pack(tmp_path / "pack"))


def test_clips_of_different_lengths_train(tmp_path: Path, pack: LoadedPack) -> None:
    write_clip(tmp_path / "clips" / "a", 40, seed=0)
    write_clip(tmp_path / "clips" / "b", 48, seed=1)
    clips = read_folder(tmp_path / "clips", pack, least_latents=5)
    assert [clip.clips["latents_FCHW"].shape[1] for clip in clips] == [10, 12]
    assert clips[0].listen_NAD.abs().sum() > 0, "silence has features"
    assert not torch.equal(clips[0].clips["references_RCHW"], clips[1].clips["references_RCHW"])
    score = WindowedScore(
        transformer=pack.transformer.requires_grad_(True),
        precondition=preconditioning_named(pack.base.preconditioning, pack.base.residual_std),
        window_latents=pack.base.new_latents,
    )
    task = FineTuningTask(score=score, clips=clips, weights_file="base.safetensors", base_sha256="")
    cost = measure_steps(task, batch_samples=2)
    assert cost.num_lengths == 1
    assert cost.slowest_s >= cost.step_s > 0
    assert cost.peak_memory_mb > 50
    assert all(parameter.grad is None for parameter in task.model.parameters())
    before = task.measure()["held_out_flow"]
    optimizer = torch.optim.Adam(task.model.parameters(), lr=2e-3)
    assert len(task.held_out) == len(task.trained_on) == 1
    for step, samples in enumerate(islice(task.batches(0, 4, World(rank=0, size=1), 0), 15)):
        optimizer.zero_grad()
        task.loss(samples, torch.Generator().manual_seed(step))["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert task.measure()["held_out_flow"] < before


def test_a_batch_has_clips_of_one_length_within_its_tokens_and_resumes(tmp_path: Path, pack: LoadedPack) -> None:
    for name, num_frames in (("a", 60), ("b", 24), ("c", 60), ("d", 100), ("e", 24), ("f", 24)):
        write_clip(tmp_path / "clips" / name, num_frames, seed=ord(name))
    clips = read_folder(tmp_path / "clips", pack, least_latents=5)
    score = WindowedScore(
        transformer=pack.transformer.requires_grad_(True),
        precondition=preconditioning_named(pack.base.preconditioning, pack.base.residual_std),
        window_latents=3,
    )
    task = FineTuningTask(
        score=score, clips=clips, weights_file="base.safetensors", base_sha256="", held_out_each=6, longest_windows=4
    )
    # Of 25 latents one is history; eight windows of three are left, two stretches of four.
    assert sorted(stretch.num_latents for stretch in task.stretches) == [3, 3, 3, 12, 12, 12]
    world = World(rank=0, size=1)
    steps = [batch["latents_FCHW"].shape[:2] for batch in islice(task.batches(0, 4, world, 0), 8)]
    assert {tuple(shape) for shape in steps} == {(3, 4), (1, 13)}, "one length a batch, twelve latents' tokens at most"
    whole = list(islice(task.batches(0, 4, world, 0), 6))
    resumed = list(islice(task.batches(5 * 4, 4, world, 0), 1))
    assert torch.equal(resumed[0]["latents_FCHW"], whole[5]["latents_FCHW"])
    assert torch.isfinite(task.loss(whole[0], torch.Generator().manual_seed(0))["loss"])
    assert measure_steps(task, batch_samples=4).num_lengths == 2, "what a run will cost is measured for each length"


def test_bad_clips_are_named(tmp_path: Path, pack: LoadedPack) -> None:
    with pytest.raises(BadInputError, match="holds no clips"):
        read_folder(tmp_path, pack, least_latents=5)
    write_clip(tmp_path / "clips" / "short", 12, seed=0)
    with pytest.raises(BadInputError, match="has 12 frames"):
        read_folder(tmp_path / "clips", pack, least_latents=5)
    (tmp_path / "clips" / "short" / "clip.mp4").write_bytes(b"not a film")
    with pytest.raises(BadInputError, match=r"clip\.mp4"):
        read_folder(tmp_path / "clips", pack, least_latents=5)
