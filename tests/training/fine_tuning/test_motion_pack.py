"""Fine-tuning of a pack that plans motion, or poses its anchor, or retouches too: clips tell nothing of it, and the new pack performs."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine import PerformJob, load_pack, perform
from engine.errors import BadInputError
from engine.model.transformer import DitInputs
from engine.model_config import AudioWindow
from engine.packs import read_manifest
from tests.engine import small_pack
from tests.engine.small_pack import small_character
from tests.training.fine_tuning.test_clip_folder import write_clip
from training.onto_pack import pack_onto
from training.parallel import World
from training.recipes import fine_tune
from training.recipes.places import Places
from training.recipes.run import Run
from training.tasks.fine_tuning import ADAPTER_FILE, FineTuningTask

ONE_ROW = AudioWindow(rows_per_latent=1, rows_before=0, rows_after=0)
HEARD_BACK = AudioWindow(rows_per_latent=1, rows_before=2, rows_after=0)


@pytest.fixture(params=["motion", "posing", "retouch"])
def places(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    """A small pack that plans motion, and may pose its anchor, and hears one row a latent, and two clips."""
    speak, listen = replace(small_pack.SPEAK, frames_per_row=4), replace(small_pack.LISTEN, frames_per_row=4)
    hears = {
        "speak_dim": speak.row_width,
        "listen_dim": listen.row_width,
        "speak_window": ONE_ROW,
        "listen_window": HEARD_BACK,
    }
    for name in ("BASE", "MOVED_BASE", "MOTION", "POSED_BASE", "POSED_MOTION"):
        monkeypatch.setattr(small_pack, name, replace(getattr(small_pack, name), **hears))
    monkeypatch.setattr(small_pack, "SPEAK", speak)
    monkeypatch.setattr(small_pack, "LISTEN", listen)
    (tmp_path / "pack").mkdir()
    writers = {
        "motion": small_pack.write_small_motion_pack,
        "posing": small_pack.write_small_posing_pack,
        "retouch": small_pack.write_small_retouch_pack,
    }
    writers[request.param](tmp_path / "pack")
    for number, name in enumerate(("a", "b")):
        write_clip(tmp_path / "clips" / name, 48, seed=number)
    yield Places(parts=tmp_path / "pack", clips=tmp_path / "clips")


def trained(task: FineTuningTask, num_steps: int = 3) -> None:
    parameters = [parameter for parameter in task.model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=1e-2)
    for step, batch in enumerate(islice(task.batches(0, 4, World(rank=0, size=1), 0), num_steps)):
        optimizer.zero_grad()
        task.loss(batch, torch.Generator().manual_seed(step))["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()


@pytest.mark.parametrize("recipe", [fine_tune.fine_tune, fine_tune.fine_tune_lora])
def test_a_pack_that_plans_motion_is_fine_tuned_and_performs(recipe: Callable[[Places], Run], places: Places) -> None:
    if recipe is fine_tune.fine_tune_lora:
        pytest.importorskip("peft", reason="peft is not installed (lpm-studio[training])")
    task = recipe(places).task
    assert isinstance(task, FineTuningTask)
    trained(task)
    run = places.clips.parent / "run"
    run.mkdir()
    task.export(run)
    assert (run / ADAPTER_FILE).is_file() == (task.lora is not None)
    before, after = load_file(places.parts / "base.safetensors"), load_file(run / "base.safetensors")
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("blocks.") for name in changed)
    meanings = {name for name in before if name.startswith(("motion_embedding.", "posed_embedding."))}
    given_pack = load_pack(places.parts)
    assert any(name.startswith("posed_") for name in meanings) == (given_pack.posing is not None)
    assert meanings
    assert not meanings & changed, "what motion and an anchor in pose mean is left alone"

    new = places.clips.parent / "new"
    pack_onto(places.parts, [run], new, "mine", "2")
    manifest, given = read_manifest(new), read_manifest(places.parts)
    assert (manifest.name, manifest.version) == ("mine", "2")
    assert manifest.settings == given.settings
    same = {entry.role for entry in manifest.components if entry == given.component(entry.role)}
    assert same == {entry.role for entry in given.components} - {"base"}
    assert (new / "motion.safetensors").read_bytes() == (places.parts / "motion.safetensors").read_bytes()
    pack = load_pack(new)
    assert pack.motion is not None
    assert (pack.posing is None) == (given_pack.posing is None)
    assert (pack.retouch is None) == (given_pack.retouch is None)
    assert pack.guidance == small_pack.MOTION_SETTINGS.guidance
    job = PerformJob(character=small_character(), num_frames=26)
    frames = {
        name: np.concatenate([piece.frames_THWC for piece in perform(load_pack(folder), job)])
        for name, folder in (("new", new), ("given", places.parts))
    }
    assert frames["new"].shape == frames["given"].shape == (26, small_pack.SIZE_PX, small_pack.SIZE_PX, 3)
    assert digest(frames["new"]) != digest(frames["given"]), "and it is drawn by the new weights"


def test_clips_of_people_tell_no_motion_and_pose_nothing(places: Places) -> None:
    task = fine_tune.fine_tune(places).task
    assert isinstance(task, FineTuningTask)
    told: list[tuple[bool, bool]] = []

    def look(_module: torch.nn.Module, arguments: tuple[DitInputs]) -> None:
        (inputs,) = arguments
        told.append((inputs.motion_BFM is not None, inputs.references.posed_BFCHW is not None))

    task.score.transformer.register_forward_pre_hook(look)
    task.loss(next(task.batches(0, 2, World(rank=0, size=1), 0)), torch.Generator().manual_seed(0))
    assert told == [(False, False)]


def test_a_run_without_components_is_refused(places: Places, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="holds a component of small"):
        pack_onto(places.parts, [tmp_path], tmp_path / "new", "mine", "1")
    with pytest.raises(BadInputError, match="is there already"):
        pack_onto(places.parts, [places.parts], places.clips, "mine", "1")


def digest(frames_THWC: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> str:
    return hashlib.sha256(frames_THWC.tobytes()).hexdigest()
