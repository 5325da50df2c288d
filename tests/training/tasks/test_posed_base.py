"""The base model on clips with posed anchors: what it starts from, what it is shown, and what it forgets history towards."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.flow.history import recalled
from engine.model.transformer import DitInputs, Transformer
from tests.training.tasks.small_base import GRID, NUM_CLIPS, NUM_LATENTS, clips_of_noise, small_base_task
from training.data.motion_rows import ROW_WIDTH
from training.data.windows import ClipFeatures
from training.objectives.flow_matching import StateReadout
from training.parallel import World
from training.tasks.base_model import BaseModel, BaseModelTask, dit_inputs

ALONE = World(rank=0, size=1)


def posed_clips_of_noise() -> ClipFeatures:
    plain = clips_of_noise()
    shape = (NUM_CLIPS, 2, NUM_LATENTS, *plain.clips["references_RCHW"].shape[2:])
    return replace(plain, posed_NAFCHW=torch.randn(shape, generator=torch.Generator().manual_seed(4)).half())


def posed_task() -> BaseModelTask:
    """Every window is told motion, and of every new weight something shows."""
    task = small_base_task()
    torch.manual_seed(1)
    config = replace(task.base.transformer.config, motion_dim=ROW_WIDTH, is_shown_posed_anchor=True)
    transformer = Transformer(config)
    torch.nn.init.normal_(transformer.head.head.weight, std=0.1)
    features = posed_clips_of_noise()
    frames_per_latent = task.codec.frames_per_latent
    return replace(
        task,
        base=BaseModel(transformer, StateReadout(config.dim, GRID * GRID, frames_per_latent)),
        window=replace(task.window, motion_drop_share=0.0),
        features=features,
        held_out=features,
    )


@pytest.fixture
def task() -> BaseModelTask:
    return posed_task()


def batch_of(task: BaseModelTask) -> dict[str, Tensor]:
    return next(task.batches(0, 4, ALONE, 0))


def test_the_model_is_shown_the_windows_own_anchors_and_learns_of_them(task: BaseModelTask) -> None:
    batch, told = batch_of(task), list[DitInputs]()
    task.base.transformer.register_forward_pre_hook(lambda _module, args: told.append(args[0]))
    task.loss(batch, torch.Generator().manual_seed(0))["loss"].backward()  # type: ignore[no-untyped-call]
    samples_B = torch.arange(4)
    for inputs in told:
        assert inputs.references.posed_BFCHW is not None
        assert torch.equal(inputs.references.posed_BFCHW, batch["posed_AFCHW"][samples_B, batch["anchor"]])
    assert told
    embedding = task.base.transformer.posed_embedding
    assert embedding is not None and embedding.patches.weight.grad is not None
    assert embedding.patches.weight.grad.abs().sum() > 0


def test_other_anchors_are_another_loss_also_of_a_new_model(task: BaseModelTask) -> None:
    """A new model sees nothing of them yet, but starts from them."""
    batch = batch_of(task)
    moved = {**batch, "posed_AFCHW": batch["posed_AFCHW"] + 0.5}
    at_rest = {name: each for name, each in batch.items() if name != "posed_AFCHW"}
    losses = [
        float(task.loss(each, torch.Generator().manual_seed(0))["loss"].detach()) for each in (batch, moved, at_rest)
    ]
    assert len(set(losses)) == 3


def test_history_is_forgotten_towards_its_own_anchor(task: BaseModelTask) -> None:
    task.flow = replace(task.flow, history_error=0.5)
    batch = batch_of(task)
    told_BFCHW = task._told(batch)
    posed_BFCHW = dit_inputs(batch, batch["latents_FCHW"], torch.zeros(4, 4)).references.posed_BFCHW
    assert posed_BFCHW is not None
    wanted_BFCHW = recalled(batch["latents_FCHW"], posed_BFCHW, task.precondition, 1.0, 0.5)
    for sample, num_history in enumerate(batch["history"].tolist()):
        assert torch.equal(told_BFCHW[sample, :num_history], wanted_BFCHW[sample, :num_history])
        assert torch.equal(told_BFCHW[sample, num_history:], batch["latents_FCHW"][sample, num_history:])
    assert not torch.equal(told_BFCHW, batch["latents_FCHW"])


@torch.no_grad()
def test_it_measures_with_posed_anchors(task: BaseModelTask) -> None:
    measures = task.measure()
    task.held_out = clips_of_noise()
    unposed = task.measure()
    assert measures.keys() == unposed.keys()
    assert measures != unposed
