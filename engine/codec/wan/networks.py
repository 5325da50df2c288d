"""Encoder and decoder of a Wan VAE: stacks of levels, run frame range by frame range with a `WanStream`."""

from torch import Tensor, nn

from engine.codec.wan.causal import CausalConv, ChannelNorm, WanStream, normed_silu
from engine.codec.wan.config import WanVaeConfig
from engine.codec.wan.layers import Grow, Middle, ResidualBlock, Shrink


class WanEncoder(nn.Module):
    """Pixels [B, 3, T, H, W] to moments before their last mix, [B, 2 C, F, h, w].

    `stages` runs blocks and shrinks in one list, as both public layouts number them.
    """

    def __init__(self, config: WanVaeConfig) -> None:
        super().__init__()
        widths = config.encoder_widths
        channels = config.encoder_width
        self.conv_in = CausalConv(3, channels, 3, 3)
        self.stages = nn.ModuleList()
        for level, width in enumerate(widths):
            for _ in range(config.blocks_per_level):
                self.stages.append(ResidualBlock(channels, width))
                channels = width
            if level < len(config.halves_time):
                self.stages.append(Shrink(channels, config.halves_time[level]))
        self.middle = Middle(channels)
        self.norm_out = ChannelNorm(channels)
        self.conv_out = CausalConv(channels, 2 * config.latent_channels, 3, 3)

    def forward(self, pixels_BCTHW: Tensor, stream: WanStream) -> Tensor:
        """The next frames of a film: the first alone or with whole groups behind it, later ones in whole groups."""
        x_BCTHW = self.conv_in(pixels_BCTHW, stream)
        for stage in self.stages:
            x_BCTHW = stage(x_BCTHW, stream)
        x_BCTHW = self.middle(x_BCTHW, stream)
        moments_BCTHW: Tensor = self.conv_out(normed_silu(self.norm_out, x_BCTHW), stream)
        return moments_BCTHW


class DecoderLevel(nn.Module):
    """Blocks at one size of the picture, and the way to the next."""

    def __init__(self, channels_in: int, channels: int, num_blocks: int, grow: Grow | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            ResidualBlock(channels_in if index == 0 else channels, channels) for index in range(num_blocks)
        )
        self.grow = grow

    def forward(self, x_BCTHW: Tensor, stream: WanStream) -> Tensor:
        """The frames at the next level's size."""
        for block in self.blocks:
            x_BCTHW = block(x_BCTHW, stream)
        return x_BCTHW if self.grow is None else self.grow(x_BCTHW, stream)


class WanDecoder(nn.Module):
    """Latents [B, C, F, h, w] to pixels [B, 3, T, H, W], not clamped."""

    def __init__(self, config: WanVaeConfig) -> None:
        super().__init__()
        widths, doubles_time = config.decoder_widths, config.halves_time[::-1]
        self.conv_in = CausalConv(config.latent_channels, widths[0], 3, 3)
        self.middle = Middle(widths[0])
        self.levels = nn.ModuleList()
        channels_in = widths[0]
        for level, width in enumerate(widths):
            grow = Grow(width, doubles_time[level]) if level < len(doubles_time) else None
            self.levels.append(DecoderLevel(channels_in, width, config.blocks_per_level + 1, grow))
            channels_in = width // 2
        self.norm_out = ChannelNorm(widths[-1])
        self.conv_out = CausalConv(widths[-1], 3, 3, 3)

    def forward(self, latents_BCFHW: Tensor, stream: WanStream) -> Tensor:
        """The next latents of a film; the film's first gives one frame, every other `frames_per_latent`."""
        x_BCTHW = self.middle(self.conv_in(latents_BCFHW, stream), stream)
        for level in self.levels:
            x_BCTHW = level(x_BCTHW, stream)
        pixels_BCTHW: Tensor = self.conv_out(normed_silu(self.norm_out, x_BCTHW), stream)
        return pixels_BCTHW
