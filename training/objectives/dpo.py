"""Direct preference optimisation of a flow-matching model (paper 3.2; Wallace et al. 2024, Liu et al. 2025).

    e(theta, x) = mean ||v_theta(x_s, s) - (noise - x_0)||^2              the mean over all positions of a sample
    margin = (e(theta, winner) - e(ref, winner)) - (e(theta, loser) - e(ref, loser))
    L_DPO = -log sigmoid(-beta / 2 * margin)          L = L_DPO + flow_weight * e(theta, winner)

Winner, loser and reference see the same noise at the same noise level; otherwise the margin is mostly noise. The last term is flow
matching on the winner, which keeps colours from shifting.
"""

from dataclasses import dataclass
from typing import Final

from torch import Tensor
from torch.nn.functional import logsigmoid

REDUCTIONS: Final = ("mean", "sum")


@dataclass(frozen=True, kw_only=True)
class DpoConfig:
    """beta: how far the model may leave the reference; its scale goes with `reduction`, by which squared errors of a sample
    become one number (2000 to 5000 for `mean`, smaller by the number of positions for `sum`)."""

    beta: float = 2000.0
    reduction: str = "mean"
    flow_weight: float = 0.2

    def __post_init__(self) -> None:
        if self.beta <= 0 or self.flow_weight < 0:
            raise ValueError("beta must be positive and flow_weight at least 0")
        if self.reduction not in REDUCTIONS:
            raise ValueError(f"errors are reduced by {' or '.join(REDUCTIONS)}, not {self.reduction!r}")


@dataclass(frozen=True, kw_only=True)
class PairErrors:
    """e(.) of the same model for winners and losers, [B] each."""

    winner_B: Tensor
    loser_B: Tensor


def sample_errors(config: DpoConfig, velocity_BFCHW: Tensor, target_BFCHW: Tensor) -> Tensor:
    """e of each sample, [B]."""
    squared_BX = (velocity_BFCHW.float() - target_BFCHW.float()).square().flatten(1)
    return squared_BX.mean(dim=1) if config.reduction == "mean" else squared_BX.sum(dim=1)


def preference_margin(model: PairErrors, reference: PairErrors) -> Tensor:
    """Below 0 where the model has moved towards the winner more than towards the loser, [B]."""
    return (model.winner_B - reference.winner_B) - (model.loser_B - reference.loser_B)


def dpo_loss(config: DpoConfig, model: PairErrors, reference: PairErrors) -> dict[str, Tensor]:
    """Named scalars of which `loss` is minimised; `preferred` is the share of pairs with a margin below 0."""
    margin_B = preference_margin(model, reference)
    preference = -logsigmoid(-config.beta / 2 * margin_B).mean()
    flow = model.winner_B.mean()
    return {
        "loss": preference + config.flow_weight * flow,
        "dpo": preference.detach(),
        "flow": flow.detach(),
        "preferred": (margin_B < 0).float().mean().detach(),
    }
