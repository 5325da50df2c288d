"""wav2vec 2.0: sound at 16 kHz to features at 50 Hz (Baevski et al. 2020, arXiv 2006.11477), in both of its published forms.

It must not know film frames (`engine.encoders.wav2vec2_audio`) or checkpoints (`engine.interop.wav2vec2_huggingface`).
"""

from dataclasses import dataclass, field
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

RATE_HZ: Final = 16_000
_LOUDNESS_EPS: Final = 1e-7


@dataclass(frozen=True, kw_only=True)
class Wav2Vec2Rows:
    """How rows for the transformer are made of features.

    Sound is heard second by second (paper 4.2): the features of `stride_frames` picture frames, on a grid that begins with the
    film, are computed from these frames, `history_frames` before and `future_frames` after them, and from nothing else. A row
    is the mean over `frames_per_row` picture frames of the outputs of `layers`, side by side.

    One layer, two thirds of the way up, is the default: there the features tell phones best, while the last ones turn back
    towards the sound they were trained to predict (Pasad et al. 2021, arXiv 2107.04734); and it gives rows as wide as the
    presets' `speak_dim` and `listen_dim`.
    """

    sound_rate_hz: int = 24_000
    frame_rate_hz: int = 24
    history_frames: int = 48
    stride_frames: int = 24
    future_frames: int = 0
    frames_per_row: int = 1
    layers: tuple[int, ...] = (8,)

    def __post_init__(self) -> None:
        """Refuse windows that are not whole samples."""
        if min(self.history_frames, self.future_frames) < 0 or min(self.stride_frames, self.frames_per_row) < 1:
            raise ValueError("a window of sound must have at least one frame in its stride and no negative reach")
        for frames in (self.history_frames, self.stride_frames, self.future_frames):
            if frames * self.sound_rate_hz % self.frame_rate_hz or frames * RATE_HZ % self.frame_rate_hz:
                raise ValueError(
                    f"{frames} frames are no whole number of samples at {self.sound_rate_hz} and {RATE_HZ} Hz; "
                    "history, stride and future must be"
                )
        if not self.layers:
            raise ValueError("layers must name at least one layer whose output makes the rows")


@dataclass(frozen=True, kw_only=True)
class Wav2Vec2Config:
    """Defaults are those of wav2vec2-base.

    form: "group" has one group norm after the first convolution and norms behind its transformer layers (the base models),
    "layer" a layer norm after every convolution and norms before its transformer layers (the large and multilingual ones).
    """

    form: Literal["group", "layer"] = "group"
    convolution_widths: tuple[int, ...] = (512,) * 7
    convolution_kernels: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    convolution_strides: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    has_convolution_bias: bool = False
    width: int = 768
    ffn_width: int = 3072
    num_heads: int = 12
    num_layers: int = 12
    position_taps: int = 128
    position_groups: int = 16
    norm_eps: float = 1e-5
    rows: Wav2Vec2Rows = field(default_factory=Wav2Vec2Rows)

    def __post_init__(self) -> None:
        """Refuse sizes that do not fit each other."""
        if len({len(self.convolution_widths), len(self.convolution_kernels), len(self.convolution_strides)}) != 1:
            raise ValueError("widths, kernels and strides must name the same number of convolutions")
        if self.form not in ("group", "layer"):
            raise ValueError(f"form is {self.form!r}; it must be group or layer")
        if self.width % self.num_heads or self.width % self.position_groups:
            raise ValueError(
                f"width {self.width} must divide into {self.num_heads} heads and {self.position_groups} groups"
            )
        if not all(0 <= layer <= self.num_layers for layer in self.rows.layers):
            raise ValueError(
                f"rows.layers {self.rows.layers} must lie in 0 (the first one's input) to {self.num_layers}"
            )

    @property
    def row_width(self) -> int:
        """Numbers in a row."""
        return len(self.rows.layers) * self.width

    @property
    def hop_samples(self) -> int:
        """Samples at 16 kHz from one feature to the next."""
        hop = 1
        for stride in self.convolution_strides:
            hop *= stride
        return hop

    @property
    def window_samples(self) -> int:
        """Samples at 16 kHz that the convolutions see for one feature."""
        window, hop = 1, 1
        for kernel, stride in zip(self.convolution_kernels, self.convolution_strides, strict=True):
            window, hop = window + (kernel - 1) * hop, hop * stride
        return window


WAV2VEC2_BASE: Final = Wav2Vec2Config()
WAV2VEC2_LARGE: Final = Wav2Vec2Config(
    form="layer", has_convolution_bias=True, width=1024, ffn_width=4096, num_heads=16, num_layers=24,
    rows=Wav2Vec2Rows(layers=(16,)),
)  # fmt: skip
WAV2VEC2_TINY: Final = Wav2Vec2Config(
    convolution_widths=(8,) * 7, width=16, ffn_width=32, num_heads=2, num_layers=2, position_taps=16, position_groups=4,
    rows=Wav2Vec2Rows(layers=(2,)),
)  # fmt: skip


class Convolution(nn.Module):
    """One convolution of the front end, its norm (perhaps none) and GELU."""

    def __init__(self, config: Wav2Vec2Config, index: int) -> None:
        super().__init__()
        channels_in = 1 if index == 0 else config.convolution_widths[index - 1]
        channels = config.convolution_widths[index]
        kernel, stride = config.convolution_kernels[index], config.convolution_strides[index]
        self.conv = nn.Conv1d(channels_in, channels, kernel, stride=stride, bias=config.has_convolution_bias)
        self.norm: nn.LayerNorm | nn.GroupNorm | None = None
        if config.form == "layer":
            self.norm = nn.LayerNorm(channels)
        elif index == 0:
            self.norm = nn.GroupNorm(channels, channels)

    def forward(self, x_BCS: Tensor) -> Tensor:
        """[B, channels_in, S] to [B, channels, S / stride]."""
        x_BCS = self.conv(x_BCS)
        if isinstance(self.norm, nn.LayerNorm):
            x_BCS = self.norm(x_BCS.transpose(1, 2)).transpose(1, 2)
        elif self.norm is not None:
            x_BCS = self.norm(x_BCS)
        return functional.gelu(x_BCS)


class PositionConvolution(nn.Module):
    """Where a feature stands, from the features around it: a wide grouped convolution whose kernel is a gain for each tap
    times a direction (weight normalisation), kept apart as the checkpoints have them."""

    def __init__(self, width: int, taps: int, groups: int) -> None:
        super().__init__()
        self.groups, self.taps = groups, taps
        self.gain = nn.Parameter(torch.ones(1, 1, taps))
        self.direction = nn.Parameter(torch.randn(width, width // groups, taps) * (4 / (taps * width)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x_BAD: Tensor) -> Tensor:
        """Same shape out as in; an even kernel reaches one feature less ahead than back."""
        length_11K = torch.linalg.vector_norm(self.direction, dim=(0, 1), keepdim=True)
        kernel_DCK = self.direction * (self.gain / length_11K)
        padding = (self.taps // 2, (self.taps - 1) // 2)
        padded_BDA = functional.pad(x_BAD.transpose(1, 2), padding)
        around_BDA = functional.conv1d(padded_BDA, kernel_DCK, self.bias, groups=self.groups)
        return functional.gelu(around_BDA).transpose(1, 2)


class Layer(nn.Module):
    """A transformer layer; its norms stand before attention and feed-forward in the layer form, behind them in the group form."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        width = config.width
        self.num_heads, self.norms_first = config.num_heads, config.form == "layer"
        self.q, self.k, self.v, self.attention_out = (nn.Linear(width, width) for _ in range(4))
        self.attention_norm = nn.LayerNorm(width, eps=config.norm_eps)
        self.ffn_in, self.ffn_out = nn.Linear(width, config.ffn_width), nn.Linear(config.ffn_width, width)
        self.ffn_norm = nn.LayerNorm(width, eps=config.norm_eps)

    def forward(self, x_BAD: Tensor) -> Tensor:
        """Same shape out as in."""
        if self.norms_first:
            x_BAD = x_BAD + self._attend(self.attention_norm(x_BAD))
            return x_BAD + self._feed_forward(self.ffn_norm(x_BAD))
        x_BAD = self.attention_norm(x_BAD + self._attend(x_BAD))
        normed_BAD: Tensor = self.ffn_norm(x_BAD + self._feed_forward(x_BAD))
        return normed_BAD

    def _attend(self, x_BAD: Tensor) -> Tensor:
        q_BNAK, k_BNAK, v_BNAK = (
            project(x_BAD).unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for project in (self.q, self.k, self.v)
        )
        attended_BNAK = functional.scaled_dot_product_attention(q_BNAK, k_BNAK, v_BNAK)
        out_BAD: Tensor = self.attention_out(attended_BNAK.transpose(1, 2).flatten(-2))
        return out_BAD

    def _feed_forward(self, x_BAD: Tensor) -> Tensor:
        out_BAD: Tensor = self.ffn_out(functional.gelu(self.ffn_in(x_BAD)))
        return out_BAD


class Wav2Vec2(nn.Module):
    """Sound [B, S] at 16 kHz to features [B, A, D], A = (S - window_samples) / hop_samples + 1."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.config = config
        self.convolutions = nn.ModuleList(Convolution(config, index) for index in range(len(config.convolution_widths)))
        self.sound_norm = nn.LayerNorm(config.convolution_widths[-1], eps=config.norm_eps)
        self.sound_in = nn.Linear(config.convolution_widths[-1], config.width)
        self.positions = PositionConvolution(config.width, config.position_taps, config.position_groups)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps)

    def hidden_states(self, sound_BS: Tensor, num_layers: int) -> list[Tensor]:
        """The input of the first layer and the outputs of the first `num_layers`, each [B, A, D].

        The sound is brought to zero mean and unit deviation first, over its whole length. In the layer form these are the raw
        sums that the norms of the next layer read; `last_hidden_state` is the norm of the last.
        """
        x_BAD = self.sound_in(self.sound_features(normalised(sound_BS)))
        x_BAD = x_BAD + self.positions(x_BAD)
        if self.config.form == "group":
            x_BAD = self.norm(x_BAD)
        states = [x_BAD]
        for layer in self.layers[:num_layers]:
            states.append(layer(states[-1]))
        return states

    def forward(self, sound_BS: Tensor) -> Tensor:
        """The last features, normed in either form."""
        last_BAD = self.hidden_states(sound_BS, len(self.layers))[-1]
        return self.norm(last_BAD) if self.config.form == "layer" else last_BAD

    def sound_features(self, normalised_BS: Tensor) -> Tensor:
        """What the convolutions make of normalised sound, normed, [B, A, C]."""
        x_BCS = normalised_BS[:, None]
        for convolution in self.convolutions:
            x_BCS = convolution(x_BCS)
        features_BAC: Tensor = self.sound_norm(x_BCS.transpose(1, 2))
        return features_BAC


def normalised(sound_BS: Tensor) -> Tensor:
    """Sound with zero mean and unit deviation, each by itself; silence stays silent."""
    mean_B1 = sound_BS.mean(dim=1, keepdim=True)
    variance_B1 = sound_BS.var(dim=1, keepdim=True, correction=0)
    return (sound_BS - mean_B1) / torch.sqrt(variance_B1 + _LOUDNESS_EPS)
