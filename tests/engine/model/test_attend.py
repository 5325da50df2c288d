"""The written-out attention equals torch's kernel, forward and backward."""

import pytest
import torch

from engine.model import attend as attend_module
from engine.model.attend import attend, explicit_attention, fused_attention


@pytest.mark.parametrize("masked", [False, True])
def test_explicit_equals_fused(masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pieces on purpose, so that the loop over samples has several rounds and an uneven last one."""
    monkeypatch.setattr(attend_module, "SCORES_IN_CACHE", 2 * 3 * 17 * 11)
    torch.manual_seed(0)
    q = torch.randn(5, 3, 17, 8, dtype=torch.float64, requires_grad=True)
    k, v = (torch.randn(5, 3, 11, 8, dtype=torch.float64, requires_grad=True) for _ in range(2))
    allowed_BS = torch.rand(5, 11) > 0.4 if masked else None
    if allowed_BS is not None:
        allowed_BS[:, 0] = True
    out_grad = torch.randn(5, 3, 17, 8, dtype=torch.float64)
    results = []
    for attention in (explicit_attention, fused_attention):
        out = attention(q, k, v, allowed_BS)
        results.append((out, *torch.autograd.grad(out, (q, k, v), out_grad)))
    for explicit, fused in zip(*results, strict=True):
        torch.testing.assert_close(explicit, fused, rtol=1e-10, atol=1e-12)


def test_explicit_in_bfloat16_is_close() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 64, 4, 32) for _ in range(3))
    exact = attend(q, k, v)
    rounded = attend(q.bfloat16(), k.bfloat16(), v.bfloat16())
    assert (exact - rounded).abs().max() < 0.02


def test_keys_that_are_not_allowed_do_not_matter() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 7, 3, 8) for _ in range(3))
    allowed_BS = torch.ones(2, 7, dtype=torch.bool)
    allowed_BS[1, 4:] = False
    with_rest = attend(q, k, v, allowed_BS)
    torch.testing.assert_close(with_rest[1:], attend(q[1:], k[1:, :4], v[1:, :4]))
    torch.testing.assert_close(with_rest[:1], attend(q[:1], k[:1], v[:1]))
