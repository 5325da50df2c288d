"""The DPO loss equals a hand computation, and a step raises the winner against the reference."""

import math

import pytest
import torch
from torch import Tensor

from training.objectives.dpo import DpoConfig, PairErrors, dpo_loss, preference_margin, sample_errors

CONFIG = DpoConfig(beta=2.0, flow_weight=0.5)


def errors(winner: list[float], loser: list[float]) -> PairErrors:
    return PairErrors(winner_B=torch.tensor(winner), loser_B=torch.tensor(loser))


def test_loss_by_hand() -> None:
    model, reference = errors([0.3, 0.5], [0.9, 0.4]), errors([0.4, 0.5], [0.8, 0.6])
    margins = [(0.3 - 0.4) - (0.9 - 0.8), (0.5 - 0.5) - (0.4 - 0.6)]
    dpo = sum(math.log(1 + math.exp(margin)) for margin in margins) / 2  # -log sigmoid(-beta/2 margin), beta 2
    losses = dpo_loss(CONFIG, model, reference)
    assert preference_margin(model, reference).tolist() == pytest.approx(margins)
    assert float(losses["dpo"]) == pytest.approx(dpo, rel=1e-6)
    assert float(losses["loss"]) == pytest.approx(dpo + 0.5 * 0.4, rel=1e-6)
    assert float(losses["preferred"]) == 0.5


def test_a_model_that_is_its_reference_is_undecided() -> None:
    same = errors([0.7], [0.2])
    assert float(dpo_loss(CONFIG, same, same)["dpo"]) == pytest.approx(math.log(2))


def test_mean_and_sum_differ_by_the_number_of_positions() -> None:
    velocity, target = torch.randn(2, 3, 4, 2, 2), torch.randn(2, 3, 4, 2, 2)
    mean_B = sample_errors(CONFIG, velocity, target)
    sum_B = sample_errors(DpoConfig(reduction="sum"), velocity, target)
    torch.testing.assert_close(sum_B, mean_B * 3 * 4 * 2 * 2)
    with pytest.raises(ValueError, match="mean or sum"):
        DpoConfig(reduction="max")


def test_a_step_raises_the_winner_against_the_reference_and_lowers_the_loser() -> None:
    """A linear model whose winner and loser pull in different directions."""
    torch.manual_seed(0)
    weight = torch.zeros(6, requires_grad=True)
    noise_BX, winner_BX, loser_BX = torch.randn(4, 6), torch.randn(4, 6), torch.randn(4, 6)

    def pair() -> PairErrors:
        def error(clean_BX: Tensor) -> Tensor:
            velocity = (0.5 * clean_BX + 0.5 * noise_BX) * weight
            return sample_errors(CONFIG, velocity[:, None, None, None], (noise_BX - clean_BX)[:, None, None, None])

        return PairErrors(winner_B=error(winner_BX), loser_B=error(loser_BX))

    with torch.no_grad():
        reference = pair()
    optimizer = torch.optim.SGD([weight], lr=0.05)
    for _ in range(20):
        optimizer.zero_grad()
        dpo_loss(DpoConfig(beta=20.0, flow_weight=0.0), pair(), reference)["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        after = pair()
    winner_gain = float((reference.winner_B - after.winner_B).mean())
    loser_gain = float((reference.loser_B - after.loser_B).mean())
    assert winner_gain > loser_gain
    assert float(preference_margin(after, reference).mean()) < -0.01
