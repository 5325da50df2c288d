"""The base model's task, with and without a critic, on a model of a few thousand parameters and clips of noise."""

from dataclasses import replace

import pytest
import torch

from engine.codec.folded_vae import FoldedVae
from tests.engine.small_pack import CODEC
from tests.training.tasks.small_base import small_base_task
from training.objectives.adversarial import LatentCritic
from training.parallel import World
from training.tasks.base_adversarial import AdversarialBaseTask
from training.tasks.base_model import BaseModelTask


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


def post_trained(task: BaseModelTask) -> AdversarialBaseTask:
    codec = FoldedVae(CODEC).requires_grad_(False)
    return AdversarialBaseTask(base_task=task, critic=LatentCritic(CODEC.latent_channels, width=8), codec=codec)


def test_a_step_with_a_critic_trains_both(task: BaseModelTask) -> None:
    both = post_trained(task)
    losses = both.loss(next(both.batches(0, 3, World(rank=0, size=1), 0)), torch.Generator().manual_seed(0))
    assert {"loss", "velocity", "pictures", "realism", "critic"} <= set(losses)
    losses["loss"].backward()
    for name, parameter in both.model.named_parameters():
        if "reader" not in name:
            assert parameter.grad is not None, name


def test_without_a_sample_at_full_noise_nothing_is_judged(task: BaseModelTask) -> None:
    task.flow = replace(task.flow, full_noise_share=0.0, sigma=replace(task.flow.sigma, shift=0.05))
    both = post_trained(task)
    losses = both.loss(next(both.batches(0, 2, World(rank=0, size=1), 0)), torch.Generator().manual_seed(0))
    assert "critic" not in losses
