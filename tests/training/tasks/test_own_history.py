"""A film's own errors in training: a window that follows begins with what the model made of the one before."""

import torch

from training.tasks.base_model import OwnHistory


def test_only_windows_that_follow_on_a_prediction_from_noise_begin_with_it() -> None:
    batch = {"latents_FCHW": torch.zeros(4, 3, 2, 1, 1), "own_history": torch.tensor([True, True, False, False])}
    own = OwnHistory(last_BCHW=torch.ones(4, 2, 1, 1), is_own_B=torch.tensor([True, False, True, False]))
    begun = own.put_into(batch)["latents_FCHW"]
    assert begun[:, 0, 0, 0, 0].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert not begun[:, 1:].any()
    assert not batch["latents_FCHW"].any(), "the batch itself stays as it is"
