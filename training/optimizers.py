"""Muon for matrices, AdamW for everything else, behind one optimiser that the trainer steps.

`torch.optim.Muon` takes two-dimensional parameters only; our codec is all convolutions, whose kernels are matrices
[out, in * rows * columns] to Muon (as in Keller Jordan's CIFAR-10 record, 2024). Hence this small one of our own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from training.distributed.sharding import sharded_like, whole_tensor

# Quintic iteration whose singular values end near 1 (Jordan 2024).
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """Learning rates at the top of the schedule; `weight_decay` is decoupled and scaled by the learning rate."""

    muon_learning_rate: float = 3e-3
    adamw_learning_rate: float = 7e-4
    momentum: float = 0.95
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    adamw_betas: tuple[float, float] = (0.9, 0.95)

    def __post_init__(self) -> None:
        if min(self.muon_learning_rate, self.adamw_learning_rate) <= 0:
            raise ValueError("learning rates must be positive")


def orthogonalised(gradient_MN: Tensor, num_iterations: int = 5, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """The nearest semi-orthogonal matrix, roughly: singular values of [M, N] pushed towards 1, computed in `dtype`.

    Sums are fused with their products: rounded once instead of three times, and a fifth to a third faster.
    """
    a, b, c = NEWTON_SCHULZ
    x_MN = gradient_MN.to(dtype)
    is_tall = x_MN.shape[0] > x_MN.shape[1]
    if is_tall:
        x_MN = x_MN.T.contiguous()
    x_MN = x_MN / (x_MN.norm() + 1e-7)
    for _ in range(num_iterations):
        gram_MM = x_MN @ x_MN.T
        even_MM = torch.addmm(gram_MM, gram_MM, gram_MM, beta=b, alpha=c)
        x_MN = torch.addmm(x_MN, even_MM, x_MN, beta=a)
    result_MN: Tensor = x_MN.T if is_tall else x_MN
    return result_MN


class Muon(Optimizer):
    """Momentum, then orthogonalisation of each update; for parameters of two or more dimensions.

    A sharded update is gathered and orthogonalised on every process: its matrix has no parts of its own.
    """

    def __init__(self, parameters: Iterable[Tensor], config: OptimizerConfig, dtype: torch.dtype) -> None:
        super().__init__(
            parameters,
            {"lr": config.muon_learning_rate, "momentum": config.momentum, "weight_decay": config.weight_decay},
        )
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                momentum = state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                update = whole_tensor(parameter.grad.lerp(momentum, group["momentum"])).flatten(1)
                scale = max(1.0, update.shape[0] / update.shape[1]) ** 0.5
                direction = orthogonalised(update, dtype=self.dtype).view(parameter.shape)
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(sharded_like(direction.to(parameter.dtype), parameter), alpha=-group["lr"] * scale)


class MuonWithAdamW:
    """Both optimisers as one: matrices inside the network to Muon; embeddings, in- and outputs, gains and biases to AdamW."""

    def __init__(
        self,
        trained: Iterable[tuple[str, Tensor]],
        config: OptimizerConfig,
        adamw_names: tuple[str, ...] = (),
        muon_dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        named = list(trained)
        is_matrix = [p.ndim >= 2 and not any(part in name for part in adamw_names) for name, p in named]
        matrices = [p for (_, p), matrix in zip(named, is_matrix, strict=True) if matrix]
        others = [p for (_, p), matrix in zip(named, is_matrix, strict=True) if not matrix]
        self.config = config
        self.parameters = matrices + others
        self._parts: list[Optimizer] = []
        if matrices:
            self._parts.append(Muon(matrices, config, muon_dtype))
        if others:
            adamw = AdamW(others, lr=config.adamw_learning_rate, betas=config.adamw_betas, weight_decay=0.0)
            self._parts.append(adamw)
        self._top_rates = [part.param_groups[0]["lr"] for part in self._parts]

    def step(self, learning_rate_factor: float) -> float | None:
        """Clips, updates at `learning_rate_factor` of the top rates, clears gradients; the gradient norm, None without any."""
        if all(parameter.grad is None for parameter in self.parameters):
            return None
        norm = float(whole_tensor(nn.utils.clip_grad_norm_(self.parameters, self.config.clip_norm)))
        for part, top_rate in zip(self._parts, self._top_rates, strict=True):
            part.param_groups[0]["lr"] = top_rate * learning_rate_factor
            part.step()
            part.zero_grad(set_to_none=True)
        return norm

    def state_dict(self) -> dict[str, Any]:
        """Everything that `load_state_dict` needs for the identical continuation."""
        return {str(index): part.state_dict() for index, part in enumerate(self._parts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues where `state_dict` was taken; whole tensors are cut to the shards of their parameters."""
        for index, part in enumerate(self._parts):
            part.load_state_dict(state[str(index)])
            for parameter, values in part.state.items():
                for name, value in values.items():
                    if isinstance(value, Tensor) and value.shape == parameter.shape:
                        values[name] = sharded_like(value, parameter)


class PartedOptimizer:
    """Parts of a model under settings of their own (a critic beside its generator), each with its own clipping.

    A part without gradients in a step is left as it is, momentum included. Without parts this is `MuonWithAdamW`, whose state
    it then shares.
    """

    def __init__(
        self,
        model: nn.Module,
        config: OptimizerConfig,
        adamw_names: tuple[str, ...] = (),
        parts: Mapping[str, OptimizerConfig] | None = None,
        muon_dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        parts = parts or {}
        named: dict[str, list[tuple[str, Tensor]]] = {"": [], **{part: [] for part in parts}}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                owner = next((part for part in parts if name.startswith(f"{part}.")), "")
                named[owner].append((name, parameter))
        self._parts = {
            owner: MuonWithAdamW(trained, parts.get(owner, config), adamw_names, muon_dtype)
            for owner, trained in named.items()
            if trained
        }
        self.parameters = [parameter for part in self._parts.values() for parameter in part.parameters]

    def step(self, learning_rate_factor: float) -> dict[str, float]:
        """One update of every part that has gradients; their norms by the names under which a record shows them."""
        norms = {owner: part.step(learning_rate_factor) for owner, part in self._parts.items()}
        return {
            f"gradient_norm_{owner}" if owner else "gradient_norm": norm
            for owner, norm in norms.items()
            if norm is not None
        }

    def state_dict(self) -> dict[str, Any]:
        """States of all parts; that of a model without parts is flat."""
        if set(self._parts) == {""}:
            return self._parts[""].state_dict()
        return {f"part:{owner}": part.state_dict() for owner, part in self._parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues where `state_dict` was taken."""
        for owner, part in self._parts.items():
            part.load_state_dict(state if set(self._parts) == {""} else state[f"part:{owner}"])
