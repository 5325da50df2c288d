"""How far a sound stands above the noise it is heard in, band by band: what a room or a microphone adds all the time is taken off.

Made of the rows of `log_mel`, to stand beside them. The floor is the least that a band has fallen to lately (minimum statistics,
Martin 2001), so hiss, hum and a murmuring hall are near 0 however loud they are, and speech is not, for no band of it stays up for so long.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

LOG_SPREAD: Final = 4.0  # as `LogMel` divides by


@dataclass(frozen=True, kw_only=True)
class NoiseFloorConfig:
    """The floor is the least of the last `num_hops`, each smoothed over `smooth_hops`; no hops are no front end at all."""

    num_hops: int = 0
    smooth_hops: int = 4

    def __post_init__(self) -> None:
        if self.num_hops < 0 or self.smooth_hops < 1:
            raise ValueError("a noise floor is looked for in 0 or more hops, smoothed over at least one")

    @property
    def history_hops(self) -> int:
        """Hops before one that can change what is heard in it."""
        return self.num_hops + self.smooth_hops if self.num_hops else 0


class AboveNoise(nn.Module):
    """Rows of `LogMel` [B, num_mels, M] to how far each band is above its floor, of the same shape and units; about 0 in noise."""

    def __init__(self, config: NoiseFloorConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, mel_BNM: Tensor) -> Tensor:
        """Causal. Before the sound there is nothing, which is no floor."""
        config = self.config
        logs_BNM = mel_BNM * LOG_SPREAD
        powers_BNM = functional.pad(torch.exp(logs_BNM), (config.smooth_hops - 1, 0), mode="replicate")
        smooth_BNM = torch.log(functional.avg_pool1d(powers_BNM, config.smooth_hops, stride=1))
        lately_BNM = functional.pad(-smooth_BNM, (config.num_hops - 1, 0), value=-torch.inf)
        floor_BNM = -functional.max_pool1d(lately_BNM, config.num_hops, stride=1)
        return (logs_BNM - floor_BNM) / LOG_SPREAD
