"""Rotary position embedding over time, rows and columns (3D RoPE of Wan2.1, segment-wise for references, Eq. 4).

Called by the transformer, which builds one `Rotation` a forward, and by self-attention, which applies it. It must not
know what a token means.

The two numbers of a rotated pair stand half a head apart (real parts first), not side by side as in the public Wan
checkpoints: contiguous halves rotate several times faster on a CPU. `engine.interop.wan_official` reorders the rows of
the query and key projections accordingly; attention is unchanged by an order that queries and keys share.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from engine.devices import exact
from engine.model_config import DitConfig


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """Cosines and signed sines of every token, [B or 1, L, 1, K]; the first half of the sines is negated."""

    cos_BLNK: Tensor
    sin_BLNK: Tensor

    def to(self, dtype: torch.dtype) -> "Rotation":
        """The same rotation in another precision."""
        return Rotation(cos_BLNK=self.cos_BLNK.to(dtype), sin_BLNK=self.sin_BLNK.to(dtype))


def grid_angles(times_BF: Tensor, num_rows: int, num_columns: int, config: DitConfig, step: int = 1) -> Tensor:
    """Angles in float64 [B, F*rows*columns, K/2] of frames at `times_BF`, rows and columns counted from 0, where float64 is computed.

    A coarser grid has a `step`: each token stands in the middle of the step x step tokens that it stands for.
    """
    times_BF = times_BF.to(exact(times_BF.device))
    rows, columns = (
        step * torch.arange(count, dtype=torch.float64, device=times_BF.device) + (step - 1) / 2
        for count in (num_rows, num_columns)
    )
    along_time, along_rows, along_columns = (
        _axis_angles(positions, num_pairs, config.rope_theta)
        for positions, num_pairs in zip((times_BF, rows, columns), config.rope_pairs, strict=True)
    )
    grid = (*times_BF.shape, num_rows, num_columns, -1)
    angles_BFHWK = torch.cat(
        [
            rearrange(along_time, "b f k -> b f 1 1 k").expand(grid),
            rearrange(along_rows, "h k -> 1 1 h 1 k").expand(grid),
            rearrange(along_columns, "w k -> 1 1 1 w k").expand(grid),
        ],
        dim=-1,
    )
    return rearrange(angles_BFHWK, "b f h w k -> b (f h w) k")


def _axis_angles(positions: Tensor, num_pairs: int, theta: float) -> Tensor:
    exponents = torch.arange(num_pairs, dtype=torch.float64, device=positions.device) / max(num_pairs, 1)
    return positions.to(torch.float64)[..., None] * theta**-exponents


def rotation_of(angles_BLK: Tensor, dtype: torch.dtype, device: torch.device | None = None) -> Rotation:
    """The rotation by these float64 angles, rounded once to the working precision, on a device (None is where the angles are)."""
    cos, sin = (x.to(dtype).to(device or x.device) for x in (angles_BLK.cos(), angles_BLK.sin()))
    cos_BLK, sin_BLK = torch.cat([cos, cos], dim=-1), torch.cat([-sin, sin], dim=-1)
    return Rotation(cos_BLNK=cos_BLK.unsqueeze(2), sin_BLNK=sin_BLK.unsqueeze(2))


def window_rotation(like_XWNK: Tensor, theta: float) -> Rotation:
    """The rotation of sound rows by how far they stand before the end of their window, so that attention can tell them apart."""
    num_rows, head_dim = like_XWNK.shape[1], like_XWNK.shape[3]
    ages_W = torch.arange(num_rows - 1, -1, -1, device=exact(like_XWNK.device))
    return rotation_of(_axis_angles(ages_W[None], head_dim // 2, theta), like_XWNK.dtype, like_XWNK.device)


def rotate(x_BLNK: Tensor, rotation: Rotation) -> Tensor:
    """Rotate each pair of each head by its token's angle."""
    if not torch.is_grad_enabled():
        return _rotated(x_BLNK, rotation.cos_BLNK, rotation.sin_BLNK)
    out: Tensor = _Rotate.apply(x_BLNK, rotation.cos_BLNK, rotation.sin_BLNK)  # type: ignore[no-untyped-call]
    return out


class _Rotate(torch.autograd.Function):
    """A rotation's gradient is rotated back; the automatic backward pass would copy several times more."""

    @staticmethod
    def forward(ctx: FunctionCtx, x_BLNK: Tensor, cos_BLNK: Tensor, sin_BLNK: Tensor) -> Tensor:
        ctx.save_for_backward(cos_BLNK, sin_BLNK)
        return _rotated(x_BLNK, cos_BLNK, sin_BLNK)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, out_grad: Tensor) -> tuple[Tensor, None, None]:
        cos_BLNK, sin_BLNK = ctx.saved_tensors  # type: ignore[attr-defined]
        return torch.addcmul(out_grad * cos_BLNK, _swapped(out_grad), sin_BLNK, value=-1), None, None


def _rotated(x_BLNK: Tensor, cos_BLNK: Tensor, sin_BLNK: Tensor) -> Tensor:
    return torch.addcmul(x_BLNK * cos_BLNK, _swapped(x_BLNK), sin_BLNK)


def _swapped(x_BLNK: Tensor) -> Tensor:
    real, imaginary = x_BLNK.chunk(2, dim=-1)
    return torch.cat([imaginary, real], dim=-1)
