"""The ablation's backbone remembers its clean result, and nothing else about it differs."""

import torch

from tests.training.distillation.small_films import SETTINGS, small_film, small_model
from training.distillation.causal import BatchNoise, backbone_rollout, causal_model, under_noisy_history
from training.distillation.clean_history import clean_history_rollout, under_clean_history


def test_only_what_is_remembered_differs() -> None:
    film, backbone = small_film(), small_model()
    noise = BatchNoise.drawn(film, SETTINGS, torch.Generator().manual_seed(0))
    noisy, clean = (roll(backbone, SETTINGS, film, noise, 3) for roll in (backbone_rollout, clean_history_rollout))
    assert torch.equal(noisy[:, :3], clean[:, :3]), "the first chunk has no history"
    assert not torch.allclose(noisy[:, 3:], clean[:, 3:], atol=1e-4)


def test_a_rollout_meets_what_training_met() -> None:
    """Behind the clean chunks that the rollout itself made, one training step from pure noise is the rollout's first step."""
    film, backbone = small_film(), small_model()
    noise = BatchNoise.drawn(film, SETTINGS, torch.Generator().manual_seed(0))
    made = clean_history_rollout(backbone, SETTINGS, film, noise, 3)
    first, last = SETTINGS.backbone_timesteps
    noise_BFCHW = noise.noise_SBFCHW[1]
    at_last_step = (1 - last / 1000) * made + last / 1000 * noise_BFCHW
    causal = causal_model(backbone, SETTINGS, film)
    with torch.no_grad():
        again = under_clean_history(causal, film, at_last_step, (last, last), made)
        other = under_noisy_history(causal_model(backbone, SETTINGS, film), film, at_last_step, (last, last))
    assert again.shape == made.shape
    assert torch.equal(again[:, :3], other[:, :3])
    assert not torch.allclose(again[:, 3:], other[:, 3:], atol=1e-4)
    assert first > last
