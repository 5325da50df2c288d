"""The base model's task, with and without a cost of pictures, on a model of a few thousand parameters and clips of noise."""

from dataclasses import replace

import pytest
import torch

from engine.codec.folded_vae import FoldedVae
from tests.engine.small_pack import CODEC
from tests.training.tasks.small_base import small_base_task
from training.parallel import World
from training.tasks.base_model import BaseModelTask
from training.tasks.base_pictures import PicturedBaseTask


@pytest.fixture
def task() -> BaseModelTask:
    return small_base_task()


def test_a_window_that_follows_begins_with_what_the_model_just_made(task: BaseModelTask) -> None:
    batches = task.batches(0, 3, World(rank=0, size=1), 0)
    first, second = next(batches), next(batches)
    made_first = task.make(first, torch.Generator().manual_seed(0))
    made_second = task.make(second, torch.Generator().manual_seed(1))
    follows = second["own_history"]
    assert follows.any()
    assert torch.equal(made_second.film_BFCHW[follows, 0], made_first.film_BFCHW[follows, -1].detach())
    assert torch.equal(made_second.film_BFCHW[~follows, 0], second["latents_FCHW"][~follows, 0])


def test_measures_leave_the_own_history_of_training_alone(task: BaseModelTask) -> None:
    batches = task.batches(0, 3, World(rank=0, size=1), 0)
    task.loss(next(batches), torch.Generator().manual_seed(0))
    second = next(batches)
    before = task.make(second, torch.Generator().manual_seed(1)).film_BFCHW
    task.loss(next(task.batches(0, 3, World(rank=0, size=1), 0)), torch.Generator().manual_seed(0))
    with torch.no_grad():
        task.measure()
    assert torch.equal(before, task.make(second, torch.Generator().manual_seed(1)).film_BFCHW)


def pictured(task: BaseModelTask) -> PicturedBaseTask:
    return PicturedBaseTask(base_task=task, codec=FoldedVae(CODEC).requires_grad_(False))


def test_pictures_pull_beside_the_other_costs(task: BaseModelTask) -> None:
    both = pictured(task)
    batch = next(both.batches(0, 3, World(rank=0, size=1), 0))
    gradients = []
    for loss in (both.loss, task.loss):
        task.model.zero_grad()
        task.carried = {}
        losses = loss(batch, torch.Generator().manual_seed(0))
        losses["loss"].backward()
        head = task.base.transformer.head.head.weight.grad
        assert head is not None
        gradients.append(head.clone())
    assert not torch.allclose(gradients[0], gradients[1], rtol=0.1)
    assert all(parameter.grad is not None for parameter in task.model.parameters())
    assert all(parameter.grad is None for parameter in both.codec.parameters())


def test_without_a_sample_at_full_noise_nothing_is_drawn(task: BaseModelTask) -> None:
    task.flow = replace(task.flow, full_noise_share=0.0, sigma=replace(task.flow.sigma, shift=0.05))
    losses = pictured(task).loss(next(task.batches(0, 2, World(rank=0, size=1), 0)), torch.Generator().manual_seed(0))
    assert "pictures" not in losses


def test_training_on_pictures_makes_held_out_pictures_better(task: BaseModelTask) -> None:
    both = pictured(task)
    optimizer = torch.optim.Adam(task.model.parameters(), lr=3e-3)
    with torch.no_grad():
        before = both.measure()
    for number, batch in zip(range(12), both.batches(0, 4, World(rank=0, size=1), 0), strict=False):
        optimizer.zero_grad()
        both.loss(batch, torch.Generator().manual_seed(number))["loss"].backward()
        optimizer.step()
    with torch.no_grad():
        after = both.measure()
    assert after["held_out_pictures"] < before["held_out_pictures"]
