"""What predicted latents show: only new frames count, the sure ones most, and a reader reads each latent by itself."""

import torch

from training.actor.state import NUM_CHANNELS
from training.objectives.perceived_state import LatentReader, noised, perceived_scales, perceived_state_loss


def reader() -> LatentReader:
    torch.manual_seed(0)
    return LatentReader(latent_channels=6, grid=4, frames_per_latent=4, width=8)


def test_each_latent_is_read_by_itself() -> None:
    latents = torch.randn(2, 3, 6, 4, 4)
    changed = latents.clone()
    changed[:, 2] += 1.0
    reference = torch.randn(2, 6, 4, 4)
    read, read_changed = reader()(latents, reference), reader()(changed, reference)
    assert read.shape == (2, 12, NUM_CHANNELS)
    torch.testing.assert_close(read[:, :8], read_changed[:, :8])
    assert not torch.allclose(read[:, 8:], read_changed[:, 8:])


def test_the_truth_costs_nothing_and_history_neither() -> None:
    state = torch.rand(2, 8, NUM_CHANNELS)
    is_new = torch.tensor([[False, True], [False, True]])
    read = state / perceived_scales()
    assert perceived_state_loss(read, state, is_new, torch.ones(2)) == 0
    read[:, :4] += 5.0
    assert perceived_state_loss(read, state, is_new, torch.ones(2)) == 0
    read[:, 4:] += 5.0
    assert perceived_state_loss(read, state, is_new, torch.ones(2)) > 1


def test_uncertain_samples_count_less() -> None:
    state = torch.zeros(2, 4, NUM_CHANNELS)
    read = state.clone()
    read[1] = 3.0
    is_new = torch.ones(2, 1, dtype=torch.bool)
    sure = perceived_state_loss(read, state, is_new, torch.tensor([1.0, 1.0]))
    unsure = perceived_state_loss(read, state, is_new, torch.tensor([1.0, 0.25]))
    torch.testing.assert_close(unsure, sure * 2 * 0.25 / 1.25)


def test_a_wrong_picture_of_the_mouth_pulls_on_the_latents() -> None:
    frozen = reader().requires_grad_(False)
    latents = torch.randn(1, 1, 6, 4, 4, requires_grad=True)
    is_new = torch.ones(1, 1, dtype=torch.bool)
    perceived_state_loss(
        frozen(latents, latents[:, 0].detach()), torch.ones(1, 4, NUM_CHANNELS), is_new, torch.ones(1)
    ).backward()
    assert latents.grad is not None and latents.grad.abs().sum() > 0


def test_noise_differs_between_samples_and_has_a_bound() -> None:
    clean = torch.zeros(64, 1, 6, 8, 8)
    spread = noised(clean, 0.25, torch.Generator().manual_seed(0)).flatten(1).std(dim=1)
    assert spread.max() < 0.3 and spread.min() < 0.05
