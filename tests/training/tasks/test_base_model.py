"""The base model's task, with and without a critic, on a model of a few thousand parameters and clips of noise."""

from dataclasses import replace

import pytest
import torch

from engine.codec.folded_vae import FoldedVae
from engine.flow.preconditioning import preconditioning_named
from engine.model.transformer import Transformer
from engine.model_config import AudioWindow
from tests.engine.small_pack import BASE, CODEC
from training.actor.state import NUM_CHANNELS
from training.data.windows import ClipFeatures, WindowConfig
from training.objectives.adversarial import LatentCritic
from training.objectives.flow_matching import FlowMatchingConfig, StateReadout
from training.objectives.perceived_state import LatentReader
from training.parallel import World
from training.tasks.base_adversarial import AdversarialBaseTask
from training.tasks.base_model import BaseModel, BaseModelTask

NUM_CLIPS, NUM_LATENTS, GRID = 4, 24, 4
ONE_ROW = AudioWindow(rows_per_latent=1, rows_before=0, rows_after=0)
WIDTH = 8


def clips_of_noise() -> ClipFeatures:
    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(NUM_CLIPS, *shape, generator=generator).half()

    latent = (CODEC.latent_channels, GRID, GRID)
    return ClipFeatures(
        clips={
            "latents_FCHW": noise(NUM_LATENTS, *latent),
            "first_CHW": noise(*latent),
            "altered_starts_N": torch.tensor([[2, 9]]).expand(NUM_CLIPS, -1),
            "altered_NCHW": noise(2, *latent),
            "references_RCHW": noise(3, *latent),
            "reference_indices_R": torch.tensor([[0, 2, 7]]).expand(NUM_CLIPS, -1),
            "state_TK": noise(NUM_LATENTS * CODEC.frames_per_latent, NUM_CHANNELS).abs(),
            "mouth_FHW": torch.ones(NUM_CLIPS, NUM_LATENTS, GRID, GRID).half(),
            "eyes_FHW": torch.zeros(NUM_CLIPS, NUM_LATENTS, GRID, GRID).half(),
            "text_of_latent_F": torch.zeros(NUM_CLIPS, NUM_LATENTS, dtype=torch.long),
        },
        speak_NAD=noise(NUM_LATENTS, WIDTH),
        listen_NAD=noise(NUM_LATENTS + 2, WIDTH),
        text_NCLD=noise(4, 6, WIDTH),
    )


@pytest.fixture
def task() -> BaseModelTask:
    torch.manual_seed(0)
    config = replace(
        BASE,
        text_dim=WIDTH,
        speak_dim=WIDTH,
        listen_dim=WIDTH,
        speak_window=ONE_ROW,
        listen_window=AudioWindow(rows_per_latent=1, rows_before=2, rows_after=0),
    )
    transformer = Transformer(config)
    torch.nn.init.normal_(transformer.head.head.weight, std=0.1)
    features = clips_of_noise()
    return BaseModelTask(
        base=BaseModel(transformer, StateReadout(config.dim, GRID * GRID, CODEC.frames_per_latent)),
        reader=LatentReader(CODEC.latent_channels, GRID, CODEC.frames_per_latent, width=8).requires_grad_(False),
        precondition=preconditioning_named("around_reference", (1.0,), 0.8),
        flow=FlowMatchingConfig(full_noise_share=1.0, history_noise=0.0),
        window=replace(WindowConfig(), own_history_share=1.0, altered_share=0.0),
        features=features,
        held_out=features,
        codec=FoldedVae(CODEC),
        num_held_out=2,
    )


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


def test_a_step_with_a_critic_trains_both(task: BaseModelTask) -> None:
    both = AdversarialBaseTask(base_task=task, critic=LatentCritic(CODEC.latent_channels, width=8))
    losses = both.loss(next(both.batches(0, 3, World(rank=0, size=1), 0)), torch.Generator().manual_seed(0))
    assert {"loss", "velocity", "realism", "critic"} <= set(losses)
    losses["loss"].backward()
    for name, parameter in both.model.named_parameters():
        if "reader" not in name:
            assert parameter.grad is not None, name


def test_without_a_sample_at_full_noise_nothing_is_judged(task: BaseModelTask) -> None:
    task.flow = replace(task.flow, full_noise_share=0.0, sigma=replace(task.flow.sigma, shift=0.05))
    both = AdversarialBaseTask(base_task=task, critic=LatentCritic(CODEC.latent_channels, width=8))
    losses = both.loss(next(both.batches(0, 2, World(rank=0, size=1), 0)), torch.Generator().manual_seed(0))
    assert "critic" not in losses
