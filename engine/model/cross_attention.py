"""Multi-modal cross-attention: text everywhere, one of the two sounds through its window (paper 3.1, Eqs. 1-3).

Called by the block with video tokens only: Q = RMSNorm(W_q h), "where h denotes the video tokens". Reference tokens skip
it whole, because they are clean pictures that text and sound have nothing to tell; what they know they give through
self-attention. It must not know which of the two sounds it is given.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn

from engine.model.attend import attend
from engine.model.linear import Linear
from engine.model.rms_norm import RMSNorm
from engine.model.rotary import rotate, window_rotation
from engine.model_config import AudioWindow, DitConfig


@dataclass(frozen=True, kw_only=True)
class WindowIndex:
    """Which rows of a sound each latent frame hears: indices and whether the row exists, both [F, W]."""

    rows_FW: Tensor
    exists_FW: Tensor


def window_index(
    window: AudioWindow, num_latents: int, num_rows: int, start_row: int, device: torch.device
) -> WindowIndex:
    """Windows of all latent frames over a sound whose row 0 is row `start_row` of the clip (negative: earlier sound)."""
    first_F = torch.arange(num_latents, device=device) * window.rows_per_latent - window.rows_before - start_row
    rows_FW = first_F[:, None] + torch.arange(window.num_rows, device=device)
    exists_FW = (rows_FW >= 0) & (rows_FW < num_rows)
    return WindowIndex(rows_FW=rows_FW.clamp(0, num_rows - 1), exists_FW=exists_FW)


class CrossAttention(nn.Module):
    """`out = W_o^txt A_text + W_o^aud A_audio` with one shared query (Eq. 3).

    The three audio projections have no bias and the values start at zero: right after conversion the output is the base
    model's, and rows of zeros (a sound left out) say exactly nothing at any time.
    """

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.num_heads, self.rope_theta = config.num_heads, config.rope_theta
        self.q = Linear(config.dim, config.dim)
        self.k = Linear(config.dim, config.dim)
        self.v = Linear(config.dim, config.dim)
        self.o = Linear(config.dim, config.dim)
        self.norm_q = RMSNorm(config.dim, config.norm_eps)
        self.norm_k = RMSNorm(config.dim, config.norm_eps)
        self.k_audio = Linear(config.dim, config.dim, bias=False)
        self.v_audio = Linear(config.dim, config.dim, bias=False)
        self.o_audio = Linear(config.dim, config.dim, bias=False)
        self.norm_k_audio = RMSNorm(config.dim, config.norm_eps)

    def forward(self, h_BLD: Tensor, text_BSD: Tensor, audio_BAD: Tensor, windows: WindowIndex) -> Tensor:
        """Video tokens in running order (frame, row, column); text and audio rows already as wide as the model."""
        q_BLNK = self._heads(self.norm_q(self.q(h_BLD)))
        text_BLNK = attend(q_BLNK, self._heads(self.norm_k(self.k(text_BSD))), self._heads(self.v(text_BSD)))
        out_BLD: Tensor = self.o(rearrange(text_BLNK, "b l n k -> b l (n k)"))
        if _is_silent(audio_BAD):
            return out_BLD
        audio_BLNK = self._attend_windows(q_BLNK, audio_BAD, windows)
        return out_BLD + self.o_audio(rearrange(audio_BLNK, "b l n k -> b l (n k)"))  # type: ignore[no-any-return]

    def _attend_windows(self, q_BLNK: Tensor, audio_BAD: Tensor, windows: WindowIndex) -> Tensor:
        """Each latent frame's queries attend to the rows of its own window, gathered instead of masked.

        Keys are rotated by their place in the window (RoPE as for tokens): without it attention cannot tell a row from the
        next one, and mouths came out at the pace of latents instead of frames.
        """
        batch, num_latents = q_BLNK.shape[0], windows.rows_FW.shape[0]
        k_BAD, v_BAD = self.norm_k_audio(self.k_audio(audio_BAD)), self.v_audio(audio_BAD)
        k_XWNK, v_XWNK = (
            rearrange(x[:, windows.rows_FW], "b f w (n k) -> (b f) w n k", n=self.num_heads) for x in (k_BAD, v_BAD)
        )
        k_XWNK = rotate(k_XWNK, window_rotation(k_XWNK, self.rope_theta))
        exists_XW = windows.exists_FW.repeat(batch, 1)
        q_XPNK = rearrange(q_BLNK, "b (f p) n k -> (b f) p n k", f=num_latents)
        out_XPNK = attend(q_XPNK, k_XWNK, v_XWNK, exists_XW)
        return rearrange(out_XPNK, "(b f) p n k -> b (f p) n k", b=batch)

    def _heads(self, x_BLD: Tensor) -> Tensor:
        return rearrange(x_BLD, "b l (n k) -> b l n k", n=self.num_heads)


def _is_silent(audio_BAD: Tensor) -> bool:
    """Whether there is nothing to hear, so that leaving the sound out changes no bit; asked only where the answer is free.

    A GPU would have to wait for it, and while training every parameter shall have its gradient.
    """
    return audio_BAD.device.type == "cpu" and not torch.is_grad_enabled() and not bool(audio_BAD.any())
