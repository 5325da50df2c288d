"""The transformer's linear layers: torch's numbers whichever library computes them, and torch's own path for gradients."""

import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from engine.model.linear import HAS_WIDE_ONEDNN, Linear


@pytest.mark.parametrize("shape", [(1, 33), (5, 33), (2, 3, 33), (0, 33)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_is_torchs_layer(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    layer = Linear(33, 17, bias=bias)
    x = torch.randn(shape)
    expected = functional.linear(x, layer.weight, layer.bias)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), expected.detach(), atol=2e-5, rtol=2e-5)
        torch.testing.assert_close(layer(x.mT.contiguous().mT), layer(x), atol=0, rtol=0)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16


def test_gradients_reach_inputs_and_weights() -> None:
    layer, x = Linear(8, 4), torch.randn(3, 8, requires_grad=True)
    layer(x).square().sum().backward()
    assert x.grad is not None and layer.weight.grad is not None
    frozen = Linear(8, 4).requires_grad_(False)
    (through,) = torch.autograd.grad(frozen(x).sum(), x)
    torch.testing.assert_close(through, frozen.weight.sum(dim=0).expand(3, 8))


def test_frozen_weights_are_rounded_once_to_what_autocast_makes_of_them() -> None:
    layer, x = Linear(33, 17), torch.randn(2, 5, 33)
    frozen = Linear(33, 17).requires_grad_(False)
    frozen.load_state_dict(layer.state_dict())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        first = frozen(x)
        torch.testing.assert_close(first, layer(x).detach(), atol=0, rtol=0)
        kept = frozen._rounded
        frozen(x)
        assert kept is not None and frozen._rounded is kept and layer._rounded is None
        with torch.no_grad():
            frozen.weight.mul_(2)  # other weights are loaded
        torch.testing.assert_close(frozen(x) - frozen.bias, 2 * (first - frozen.bias), atol=0.05, rtol=0.05)
    assert list(frozen.state_dict()) == ["weight", "bias"]


@pytest.mark.skipif(
    not HAS_WIDE_ONEDNN, reason="torch has no oneDNN, or this processor no AVX-512 that MKL leaves alone"
)
def test_the_wide_product_is_used_and_counted() -> None:
    layer = Linear(8, 4)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        layer(torch.randn(2, 3, 8))
    assert [str(name) for name in counter.get_flop_counts()["Global"]] == ["mkldnn._linear_pointwise"]
    assert counter.get_total_flops() == 2 * 6 * 8 * 4
