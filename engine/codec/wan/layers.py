"""The building blocks that the encoder and the decoder of a Wan VAE share. Maps are [B, C, T, H, W]."""

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from engine.codec.wan.causal import CausalConv, ChannelNorm, DoubleTime, HalveTime, WanStream, normed_silu


class ResidualBlock(nn.Module):
    """Norm, SiLU, causal convolution, twice, and the way around them."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.norm_in = ChannelNorm(channels_in)
        self.conv_in = CausalConv(channels_in, channels_out, 3, 3)
        self.norm_out = ChannelNorm(channels_out)
        self.conv_out = CausalConv(channels_out, channels_out, 3, 3)
        self.shortcut = nn.Conv3d(channels_in, channels_out, 1) if channels_in != channels_out else nn.Identity()

    def forward(self, x_BCTHW: Tensor, stream: WanStream) -> Tensor:
        """[B, channels_in, T, H, W] to [B, channels_out, T, H, W]."""
        hidden_BCTHW = self.conv_in(normed_silu(self.norm_in, x_BCTHW), stream)
        hidden_BCTHW = self.conv_out(normed_silu(self.norm_out, hidden_BCTHW), stream)
        out_BCTHW: Tensor = self.shortcut(x_BCTHW) + hidden_BCTHW
        return out_BCTHW


class PictureAttention(nn.Module):
    """Attention of one head among the positions of each frame by itself."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Same shape out as in."""
        batch, _, _, height, _ = x_BCTHW.shape
        tokens_BLC = rearrange(self.norm(x_BCTHW), "b c t h w -> (b t) (h w) c")
        q_BLC, k_BLC, v_BLC = self.qkv(tokens_BLC).chunk(3, dim=-1)
        attended_BLC = functional.scaled_dot_product_attention(q_BLC, k_BLC, v_BLC)
        attended_BCTHW: Tensor = rearrange(self.out(attended_BLC), "(b t) (h w) c -> b c t h w", b=batch, h=height)
        return x_BCTHW + attended_BCTHW


class Middle(nn.Module):
    """The blocks at the smallest picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.before = ResidualBlock(channels, channels)
        self.attention = PictureAttention(channels)
        self.after = ResidualBlock(channels, channels)

    def forward(self, x_BCTHW: Tensor, stream: WanStream) -> Tensor:
        """Same shape out as in."""
        attended_BCTHW: Tensor = self.attention(self.before(x_BCTHW, stream))
        after_BCTHW: Tensor = self.after(attended_BCTHW, stream)
        return after_BCTHW


class Shrink(nn.Module):
    """Half the rows and columns (zeros are added at the right and bottom only), then perhaps half the frames."""

    def __init__(self, channels: int, halves_time: bool) -> None:
        super().__init__()
        self.space = nn.Conv2d(channels, channels, 3, stride=2)
        self.time = HalveTime(channels) if halves_time else None

    def forward(self, x_BCTHW: Tensor, stream: WanStream) -> Tensor:
        """[B, C, T, H, W] to [B, C, T or about T / 2, H / 2, W / 2]."""
        frames_BCHW = functional.pad(rearrange(x_BCTHW, "b c t h w -> (b t) c h w"), (0, 1, 0, 1))
        small_BCTHW: Tensor = rearrange(self.space(frames_BCHW), "(b t) c h w -> b c t h w", b=len(x_BCTHW))
        if self.time is None:
            return small_BCTHW
        halved_BCTHW: Tensor = self.time(small_BCTHW, stream)
        return halved_BCTHW


class Grow(nn.Module):
    """Perhaps twice the frames, then twice the rows and columns and half the channels."""

    def __init__(self, channels: int, doubles_time: bool) -> None:
        super().__init__()
        self.time = DoubleTime(channels) if doubles_time else None
        self.space = nn.Conv2d(channels, channels // 2, 3, padding=1)

    def forward(self, x_BCTHW: Tensor, stream: WanStream) -> Tensor:
        """[B, C, T, H, W] to [B, C / 2, T or about 2 T, 2 H, 2 W]."""
        if self.time is not None:
            x_BCTHW = self.time(x_BCTHW, stream)
        frames_BCHW = rearrange(x_BCTHW, "b c t h w -> (b t) c h w")
        large_BCHW = functional.interpolate(frames_BCHW, scale_factor=2.0, mode="nearest-exact")
        grown_BCTHW: Tensor = rearrange(self.space(large_BCHW), "(b t) c h w -> b c t h w", b=len(x_BCTHW))
        return grown_BCTHW
