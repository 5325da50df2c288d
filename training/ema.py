"""An exponential moving average of a model's weights: what is sampled from, evaluated and shipped."""

import torch
from torch import Tensor, nn


class ExponentialAverage:
    """Averages of the trained parameters, in float32; warms up so that early steps do not linger."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.num_updates = 0
        self.averages = {name: p.detach().clone().float() for name, p in model.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Moves each average towards its parameter."""
        self.num_updates += 1
        decay = min(self.decay, self.num_updates / (self.num_updates + 10))
        for name, parameter in model.named_parameters():
            if name in self.averages:
                self.averages[name].lerp_(parameter.detach().float(), 1 - decay)

    def copy_to(self, model: nn.Module) -> None:
        """Overwrites the model's trained parameters with their averages."""
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name in self.averages:
                    parameter.copy_(self.averages[name])

    def state_dict(self) -> dict[str, Tensor]:
        """The averages and the count of updates."""
        return {**self.averages, "num_updates": torch.tensor(self.num_updates)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continues where `state_dict` was taken."""
        self.num_updates = int(state["num_updates"])
        for name, average in self.averages.items():
            average.copy_(state[name])
