"""Sizes of a Wan VAE and the statistics of its latents. It must not know tensors."""

from dataclasses import dataclass
from typing import Final

LATENT_MEAN: Final = (
    -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
    0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
)  # fmt: skip
LATENT_STD: Final = (
    2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
    3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class WanVaeConfig:
    """Defaults are those of the published Wan2.1 VAE.

    Level i is `width_multipliers[i]` times as wide as the first; between two levels the picture is halved, and time as well
    where `halves_time` says so. A normalised latent is (mean of the posterior - `latent_mean`) / `latent_std`, by channel.
    """

    encoder_width: int = 96
    decoder_width: int = 96
    latent_channels: int = 16
    width_multipliers: tuple[int, ...] = (1, 2, 4, 4)
    blocks_per_level: int = 2
    halves_time: tuple[bool, ...] = (False, True, True)
    latent_mean: tuple[float, ...] = LATENT_MEAN
    latent_std: tuple[float, ...] = LATENT_STD

    def __post_init__(self) -> None:
        """Refuse sizes that do not fit each other."""
        if len(self.halves_time) != len(self.width_multipliers) - 1:
            raise ValueError("halves_time must have one entry between each two of width_multipliers")
        if {len(self.latent_mean), len(self.latent_std)} != {self.latent_channels}:
            raise ValueError(f"latent_mean and latent_std must have {self.latent_channels} numbers each")
        if min(self.latent_std) <= 0:
            raise ValueError("latent_std must be positive")
        if min(self.encoder_width, self.decoder_width, self.latent_channels, self.blocks_per_level) < 1:
            raise ValueError("a Wan VAE needs at least one channel and one block everywhere")
        if self.decoder_width * min(self.width_multipliers) % 2:
            raise ValueError("each level of the decoder must have an even width: it is halved on the way up")

    @property
    def spatial_stride(self) -> int:
        """Pixels along one side of a latent position."""
        return 1 << len(self.halves_time)

    @property
    def frames_per_latent(self) -> int:
        """Picture frames that each latent after the first adds."""
        return 1 << sum(self.halves_time)

    @property
    def encoder_widths(self) -> tuple[int, ...]:
        """Channels of the encoder's levels, largest picture first."""
        return tuple(self.encoder_width * multiplier for multiplier in self.width_multipliers)

    @property
    def decoder_widths(self) -> tuple[int, ...]:
        """Channels of the decoder's levels, smallest picture first."""
        return tuple(self.decoder_width * multiplier for multiplier in reversed(self.width_multipliers))


WAN_VAE: Final = WanVaeConfig()
WAN_VAE_TINY: Final = WanVaeConfig(encoder_width=8, decoder_width=8, blocks_per_level=1)
