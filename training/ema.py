"""An exponential moving average of a model's weights: what is sampled from, evaluated and shipped."""

import torch
from torch import Tensor, nn

from training.distributed.sharding import gather_no_longer, sharded_like


class ExponentialAverage:
    """Averages of the trained parameters, in float32, sharded as they are; warms up so that early steps do not linger."""

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
        """Continues where `state_dict` was taken; whole tensors are cut to the shards of their averages."""
        self.num_updates = int(state["num_updates"])
        for name, average in self.averages.items():
            average.copy_(sharded_like(state[name], average))


class averaged_weights:
    """Inside the block the model has its averaged weights and is in evaluation mode; afterwards its own again."""

    def __init__(self, model: nn.Module, average: ExponentialAverage) -> None:
        self.model, self.average = model, average

    def __enter__(self) -> None:
        self.own = {name: p.detach().clone() for name, p in self.model.named_parameters() if p.requires_grad}
        self.average.copy_to(self.model)
        self.model.eval()

    def __exit__(self, *_: object) -> None:
        gather_no_longer(self.model)
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                if name in self.own:
                    parameter.copy_(self.own[name])
        self.model.train()
