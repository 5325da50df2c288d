"""A critic of latents, for a model that answers in one step.

The cheapest answer to "one of several futures" is a blur of all of them. A critic that sees two latents on end beside the
character's reference tells blurs from latents of real films, and pulls a one-step answer to some future rather than none
(adversarial post-training: Lin et al. 2025, "APT", and its autoregressive form). The cost is relativistic, a film against its
truth, with gradient penalties on both sides (Huang et al. 2024, "R3GAN"), which are estimated from small noise, as APT does.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

Critic = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class AdversarialConfig:
    """`share` is the adversarial pull on predicted latents in units of the pull of the other costs."""

    share: float = 0.25
    penalty: float = 2.0
    penalty_noise: float = 0.05


class LatentCritic(nn.Module):
    """How real each place of two latents on end looks, beside the global reference."""

    def __init__(self, latent_channels: int, width: int = 192) -> None:
        super().__init__()
        self.see = nn.Sequential(
            nn.Conv2d(3 * latent_channels, width, 1),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GELU(),
        )
        self.judge = nn.Conv2d(width, 1, 1)

    def forward(self, latents_BFCHW: Tensor, reference_BCHW: Tensor) -> Tensor:
        """Latents [B, F, C, H, W] to a judgement of each pair on end by place, [B, F - 1, H / 2, W / 2]."""
        pairs = torch.cat([latents_BFCHW[:, :-1], latents_BFCHW[:, 1:]], dim=2)
        triples = torch.cat([pairs, reference_BCHW[:, None].expand(-1, pairs.shape[1], -1, -1, -1)], dim=2)
        judged = self.judge(self.see(rearrange(triples, "b f c h w -> (b f) c h w")))
        judged_BFHW: Tensor = rearrange(judged, "(b f) 1 h w -> b f h w", b=len(latents_BFCHW)).float()
        return judged_BFHW


def frozen(critic: LatentCritic) -> Critic:
    """The critic as it is now, so that a cost pulls on what it judges and not on it."""
    parameters = {name: parameter.detach() for name, parameter in critic.named_parameters()}
    return lambda latents, reference: functional_call(critic, parameters, (latents, reference))


def critic_loss(
    config: AdversarialConfig,
    critic: Critic,
    true_BFCHW: Tensor,
    made_BFCHW: Tensor,
    reference_BCHW: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """The critic's own cost: the truth above what was made, and flat around both."""
    true_judged, made_judged = critic(true_BFCHW, reference_BCHW), critic(made_BFCHW, reference_BCHW)
    cost = functional.softplus(made_judged - true_judged).mean()
    for latents_BFCHW, judged in ((true_BFCHW, true_judged), (made_BFCHW, made_judged)):
        noise_BFCHW = config.penalty_noise * torch.randn(latents_BFCHW.shape, generator=generator)
        moved = critic(latents_BFCHW + noise_BFCHW, reference_BCHW)
        cost = cost + config.penalty / 2 * ((moved - judged) / config.penalty_noise).square().mean()
    return cost


def realism_loss(critic: Critic, true_BFCHW: Tensor, made_BFCHW: Tensor, reference_BCHW: Tensor) -> Tensor:
    """The model's cost: what it made above the truth."""
    with torch.no_grad():
        true_judged = critic(true_BFCHW, reference_BCHW)
    return functional.softplus(true_judged - critic(made_BFCHW, reference_BCHW)).mean()


def balanced(cost: Tensor, others: Tensor, made_BFCHW: Tensor, share: float) -> Tensor:
    """A stand-in for `cost` that pulls on `made_BFCHW` with `share` of the pull of the other costs. Its value is zero.

    Its gradient is found once, here; whatever lies between `made_BFCHW` and the cost is not gone through again.
    """
    pull_of_others_BFCHW = torch.autograd.grad(others, made_BFCHW, retain_graph=True)[0]
    pull_BFCHW = torch.autograd.grad(cost, made_BFCHW, retain_graph=True)[0]
    scale = share * pull_of_others_BFCHW.norm() / (pull_BFCHW.norm() + 1e-8)
    weighed: Tensor = (scale.clamp(max=1e4) * pull_BFCHW * (made_BFCHW - made_BFCHW.detach())).sum()
    return weighed
