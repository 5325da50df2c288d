"""Every backward pass that is written out equals the automatic one of the plain formula (float64)."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.model.modulation import gated_residual, modulated_norm
from engine.model.rms_norm import rms_norm
from engine.model.rotary import Rotation, rotate, rotation_of

SEGMENTS = 3


def _leaf(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def _assert_same(written: Tensor, plain: Tensor, leaves: tuple[Tensor, ...]) -> None:
    out_grad = torch.randn_like(plain)
    torch.testing.assert_close(written, plain)
    for ours, theirs in zip(
        torch.autograd.grad(written, leaves, out_grad), torch.autograd.grad(plain, leaves, out_grad), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_rms_norm() -> None:
    x, weight = _leaf(2, 5, 12), _leaf(12)
    plain = x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + 1e-3) * weight
    _assert_same(rms_norm(x, weight, 1e-3), plain, (x, weight))


def test_modulated_norm() -> None:
    x, shift, scale = _leaf(2, SEGMENTS * 4, 12), _leaf(2, SEGMENTS, 12), _leaf(2, SEGMENTS, 12)
    normed = F.layer_norm(x, (12,), eps=1e-3)
    plain = normed * (1 + scale.repeat_interleave(4, dim=1)) + shift.repeat_interleave(4, dim=1)
    _assert_same(modulated_norm(x, shift, scale, 1e-3), plain, (x, shift, scale))


def test_gated_residual() -> None:
    x, branch, gate = _leaf(2, SEGMENTS * 4, 12), _leaf(2, SEGMENTS * 4, 12), _leaf(2, SEGMENTS, 12)
    plain = x + branch * gate.repeat_interleave(4, dim=1)
    _assert_same(gated_residual(x, branch, gate), plain, (x, branch, gate))


def test_rotation() -> None:
    x, angles_BLK = _leaf(2, 5, 3, 8), torch.randn(1, 5, 4, dtype=torch.float64)
    pairs = torch.complex(x[..., :4], x[..., 4:]) * torch.polar(torch.ones_like(angles_BLK), angles_BLK).unsqueeze(2)
    _assert_same(rotate(x, rotation_of(angles_BLK, torch.float64)), torch.cat([pairs.real, pairs.imag], dim=-1), (x,))


@pytest.mark.parametrize("is_rounded", [False, True])
def test_without_gradients_every_bit_is_the_same(is_rounded: bool) -> None:
    dtype = torch.bfloat16 if is_rounded else torch.float32
    x, weight, vector = torch.randn(2, SEGMENTS * 4, 12), torch.randn(12), torch.randn(2, SEGMENTS, 12)
    rotation = rotation_of(torch.randn(1, 12, 2, dtype=torch.float64), dtype)
    computations = (
        lambda: rms_norm(x.to(dtype), weight, 1e-3),
        lambda: modulated_norm(x, vector, vector, 1e-3),
        lambda: gated_residual(x, x.to(dtype), vector),
        lambda: rotate(x.to(dtype).unflatten(2, (3, 4)), rotation),
    )
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_rounded):
        wrapped = [compute() for compute in computations]
        with torch.no_grad():
            assert all(torch.equal(compute(), out) for compute, out in zip(computations, wrapped, strict=True))


def test_autocast_does_not_round_within_a_norm() -> None:
    x, weight = torch.randn(3, 256).bfloat16(), torch.randn(256)
    plain = x.float() * torch.rsqrt(x.float().square().mean(dim=-1, keepdim=True) + 1e-6) * weight
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(rms_norm(x, weight, 1e-6), plain.bfloat16(), atol=0, rtol=0)


def test_rotation_by_nothing_is_identity() -> None:
    x = torch.randn(1, 2, 3, 8)
    nothing = Rotation(cos_BLNK=torch.ones(1, 2, 1, 8), sin_BLNK=torch.zeros(1, 2, 1, 8))
    assert torch.equal(rotate(x, nothing), x)
