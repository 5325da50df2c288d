"""Whether somebody speaks: how loud a sound is against its own quietest and loudest moments of late, whatever the microphone's gain.

A front end beside `log_mel`, at its frames, which says in four numbers what a network would have to gather from all bands: level, how far
it stands above a floor that follows the quietest sound, how far below a peak that follows the loudest (both in the manner of minimum
statistics, Martin 2001, drifting back so many dB a second), and whether that makes it speech. Causal: a frame hears its own hop and
what was before it.
"""

from dataclasses import dataclass
from typing import Final

import torch
from einops import reduce
from torch import Tensor, nn
from torch.nn import functional

from engine.encoders.log_mel import LogMelConfig

NUM_ROWS: Final = 4
QUIETEST_DB: Final = -62.0  # digital silence counts as a quiet room
SPREAD_DB: Final = 10.0  # what comes out is in units of so much
EDGE_DB: Final = 1.0  # so far from where speech begins, one is nearly sure


@dataclass(frozen=True, kw_only=True)
class PresenceConfig:
    """Floor and peak are looked for in the last `num_hops`; no hops are no front end at all.

    Speech is louder than `least_db` of full scale, `above_floor_db` above the floor and at most `below_peak_db` below the peak.
    """

    num_hops: int = 0
    level_hops: int = 2
    floor_rise_db_per_s: float = 7.0
    peak_fall_db_per_s: float = 6.0
    least_db: float = -55.0
    above_floor_db: float = 6.5
    below_peak_db: float = 26.0

    def __post_init__(self) -> None:
        if self.num_hops < 0 or self.level_hops < 1:
            raise ValueError("presence is heard in 0 or more hops, of a level over at least one")
        if self.floor_rise_db_per_s < 0 or self.peak_fall_db_per_s < 0:
            raise ValueError("a floor rises and a peak falls by 0 or more dB a second")

    @property
    def num_rows(self) -> int:
        """Rows that come out."""
        return NUM_ROWS if self.num_hops else 0

    @property
    def history_hops(self) -> int:
        """Hops before one that can change what is heard in it."""
        return self.num_hops + self.level_hops if self.num_hops else 0


class Presence(nn.Module):
    """Sound [B, S] to [B, 4, M] at the frames of `mel`: level, above floor, below peak (tens of dB), and 0 to 1 for speech."""

    def __init__(self, config: PresenceConfig, mel: LogMelConfig) -> None:
        super().__init__()
        self.config, self.mel = config, mel

    def forward(self, sound_BS: Tensor) -> Tensor:
        """Before the sound there is silence."""
        config = self.config
        level_BM = self._level_db(sound_BS)
        hop_s = self.mel.hop_samples / self.mel.rate_hz
        floor_BM = -self._drifting(-level_BM, config.floor_rise_db_per_s * hop_s)
        peak_BM = self._drifting(level_BM, config.peak_fall_db_per_s * hop_s)
        threshold_BM = torch.maximum(floor_BM + config.above_floor_db, peak_BM - config.below_peak_db)
        over_BM = level_BM - threshold_BM.clamp(min=config.least_db)
        rows = (
            (level_BM - config.least_db) / SPREAD_DB,
            (level_BM - floor_BM) / SPREAD_DB,
            (level_BM - peak_BM) / SPREAD_DB,
            torch.sigmoid(over_BM / EDGE_DB),
        )
        return torch.stack(rows, dim=1)

    def _level_db(self, sound_BS: Tensor) -> Tensor:
        """Of the last few hops, dB of full scale, [B, M]."""
        power_BM = reduce(sound_BS.float().square(), "b (m s) -> b m", "mean", s=self.mel.hop_samples)
        num_hops = self.config.level_hops
        mean_BM = functional.avg_pool1d(functional.pad(power_BM, (num_hops - 1, 0))[:, None], num_hops, stride=1)[:, 0]
        return 10.0 * torch.log10(mean_BM.clamp(min=10.0 ** (QUIETEST_DB / 10.0)))

    def _drifting(self, level_BM: Tensor, fall_per_hop: float) -> Tensor:
        """The loudest of the last hops, each of them counted so much less for every hop since."""
        num_hops = self.config.num_hops
        since_start_M = fall_per_hop * torch.arange(level_BM.shape[1], device=level_BM.device)
        lasting_BM = functional.pad(level_BM + since_start_M, (num_hops - 1, 0), value=-torch.inf)
        return functional.max_pool1d(lasting_BM[:, None], num_hops, stride=1)[:, 0] - since_start_M
