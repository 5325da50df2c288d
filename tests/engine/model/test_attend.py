"""One door to attention: every kernel equals the plain one, the door says which it takes, and can be told."""

import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from engine.model.attend import attend, attend_packed, chosen, report, using
from engine.model.attention import explicit
from engine.model.attention.explicit import explicit_attention
from engine.model.attention.kernels import KERNELS, Task, packed_over_allowed

TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 2e-2, torch.float64: 1e-10}


def _tensors(dtype: torch.dtype, device: str = "cpu") -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Three samples of 37 queries and 29 keys; the second lacks most keys."""
    torch.manual_seed(0)
    q = torch.randn(3, 37, 4, 16)
    k, v = torch.randn(3, 29, 4, 16), torch.randn(3, 29, 4, 16)
    allowed_BS = torch.ones(3, 29, dtype=torch.bool)
    allowed_BS[1, 3:] = False
    allowed_BS[2, ::2] = False
    return q.to(device, dtype), k.to(device, dtype), v.to(device, dtype), allowed_BS.to(device)


def _plain(q_BLNK: Tensor, k_BSNK: Tensor, v_BSNK: Tensor, allowed_BS: Tensor | None) -> Tensor:
    """The definition, in float64."""
    q, k, v = (x.double() for x in (q_BLNK, k_BSNK, v_BSNK))
    scores = torch.einsum("blnk,bsnk->bnls", q, k) / q.shape[-1] ** 0.5
    if allowed_BS is not None:
        scores = scores.masked_fill(~allowed_BS[:, None, None], -torch.inf)
    return torch.einsum("bnls,bsnk->blnk", scores.softmax(dim=-1), v)


def _attend_or_skip(name: str, *tensors: Tensor | None) -> Tensor:
    q, k, v, allowed_BS = tensors
    assert q is not None and k is not None and v is not None
    if refusal := KERNELS[name].refusal(Task.of(q, k, v, allowed_BS)):
        pytest.skip(f"{name} {refusal}")
    with using(name):
        return attend(q, k, v, allowed_BS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_equals_the_definition_on_a_processor(name: str, masked: bool, dtype: torch.dtype) -> None:
    q, k, v, allowed_BS = _tensors(dtype)
    mask = allowed_BS if masked else None
    out = _attend_or_skip(name, q, k, v, mask)
    assert out.dtype == dtype
    assert (out - _plain(q, k, v, mask)).abs().max() < TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_equals_the_definition_on_a_gpu(name: str, masked: bool, dtype: torch.dtype) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU here")
    q, k, v, allowed_BS = _tensors(dtype, "cuda")
    mask = allowed_BS if masked else None
    out = _attend_or_skip(name, q, k, v, mask)
    assert (out - _plain(q, k, v, mask)).abs().max() < TOLERANCE[dtype]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ["explicit", "flash", "math"])
def test_gradients_equal_the_definition_s(name: str, masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pieces on purpose, so that the loop over samples has several rounds and an uneven last one."""
    monkeypatch.setattr(explicit, "SCORES_IN_CACHE", 2 * 4 * 37 * 29)
    q, k, v, allowed_BS = _tensors(torch.float64)
    leaves = [x.requires_grad_() for x in (q, k, v)]
    mask, out_grad = allowed_BS if masked else None, torch.randn(3, 37, 4, 16, dtype=torch.float64)
    out = _attend_or_skip(name, q, k, v, mask)
    ours = torch.autograd.grad(out, leaves, out_grad)
    theirs = torch.autograd.grad(_plain(q, k, v, mask), leaves, out_grad)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("in_cache", [1, 29 * 5, 29 * 37 * 3, 2**21])
@pytest.mark.parametrize("masked", [False, True])
def test_blocks_of_any_size_give_the_same(in_cache: int, masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """From one query of one head at a time to everything at once; nothing may require gradients to take this way."""
    monkeypatch.setattr(explicit, "SCORES_IN_CACHE", in_cache)
    q, k, v, allowed_BS = _tensors(torch.float64)
    mask = allowed_BS if masked else None
    out = explicit_attention(*(x.transpose(1, 2) for x in (q, k, v)), mask).transpose(1, 2)
    torch.testing.assert_close(out, _plain(q, k, v, mask), rtol=1e-9, atol=1e-11)


def test_the_choice_follows_the_task_and_is_told() -> None:
    q, k, v, _ = _tensors(torch.float32)
    assert chosen(q, k, v) == "flash"
    assert chosen(q.bfloat16(), k.bfloat16(), v.bfloat16()) == "explicit"
    assert chosen(q.requires_grad_(), k, v) == "explicit"
    with torch.no_grad():
        assert chosen(q, k, v) == "flash"
    large = torch.empty(1, 3000, 4, 16, requires_grad=True)
    assert chosen(large, large, large) == "flash"
    listed = {entry.name: entry for entry in report(Task.of(q.detach(), k, v, None))}
    assert listed.keys() == KERNELS.keys()
    assert [name for name, entry in listed.items() if entry.is_chosen] == ["flash"]
    assert "NVIDIA" in str(listed["cudnn"].refusal)
    assert listed["math"].refusal is None


def test_the_door_can_be_told_and_refuses_what_cannot_be() -> None:
    q, k, v, _ = _tensors(torch.float32)
    with using("math"):
        assert chosen(q, k, v) == "math"
        with using("flex"):
            assert chosen(q, k, v) == "flex"
            with pytest.raises(ValueError, match="'flex' has no backward pass on a CPU"):
                attend(q.clone().requires_grad_(), k, v)
        assert chosen(q, k, v) == "math"
    assert chosen(q, k, v) == "flash"
    with pytest.raises(ValueError, match="known: explicit"), using("fastest"):
        pass
    with using("cudnn"), pytest.raises(ValueError, match="needs an NVIDIA GPU"):
        attend(q, k, v)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_packed_samples_are_each_alone(dtype: torch.dtype) -> None:
    query_lengths, key_lengths = (5, 1, 17), (9, 30, 2)
    torch.manual_seed(0)
    q = torch.randn(sum(query_lengths), 4, 16, dtype=dtype)
    k, v = (torch.randn(sum(key_lengths), 4, 16, dtype=dtype) for _ in range(2))
    packed = attend_packed(q, k, v, query_lengths, key_lengths)
    query, key = 0, 0
    for num_queries, num_keys in zip(query_lengths, key_lengths, strict=True):
        own, keys = slice(query, query + num_queries), slice(key, key + num_keys)
        alone = _plain(q[None, own], k[None, keys], v[None, keys], None)[0]
        assert (packed[own] - alone).abs().max() < TOLERANCE[dtype]
        query, key = own.stop, keys.stop
    with pytest.raises(ValueError, match="do not add up"):
        attend_packed(q, k, v, (5, 1, 16), key_lengths)
    with pytest.raises(ValueError, match="at least one key"):
        attend_packed(q, k, v, query_lengths, (9, 32, 0))


def test_a_kernel_without_masks_is_given_packed_keys() -> None:
    """What FlashAttention gets: starts and lengths by which each sample finds its own rows."""
    q, k, v, allowed_BS = _tensors(torch.float64)

    def one_by_one(
        q_XNK: Tensor, k_XNK: Tensor, v_XNK: Tensor, queries: Tensor, keys: Tensor, longest: tuple[int, int]
    ) -> Tensor:
        assert longest == (37, 29)
        assert k_XNK.shape[0] == int(allowed_BS.sum())
        spans = zip(queries.tolist(), queries[1:].tolist(), keys.tolist(), keys[1:].tolist(), strict=False)
        return torch.cat(
            [_plain(q_XNK[None, a:b], k_XNK[None, c:d], v_XNK[None, c:d], None)[0] for a, b, c, d in spans]
        )

    attend_so: Callable[..., Tensor] = one_by_one
    packed = packed_over_allowed(attend_so, q, k, v, allowed_BS)
    torch.testing.assert_close(packed, _plain(q, k, v, allowed_BS), rtol=1e-9, atol=1e-11)


def test_threads_that_choose_kernels_leave_torch_as_it_was() -> None:
    """Torch's choice is the process's: two sessions on one pack could leave it restricted for whatever needs another kernel."""
    q = torch.randn(1, 64, 2, 8)
    failures: list[Exception] = []

    def choose(name: str) -> None:
        try:
            for _ in range(60):
                with using(name):
                    attend(q, q, q)
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=choose, args=(name,)) for name in ("math", "flash", "math", "flash")]
    for thread in threads:
        thread.start()
    mask = torch.zeros(64, 64, requires_grad=True)  # what the plain kernel alone takes
    for _ in range(60):
        torch.nn.functional.scaled_dot_product_attention(q[:, :, 0], q[:, :, 0], q[:, :, 0], attn_mask=mask)
    for thread in threads:
        thread.join()
    assert not failures
    assert torch.backends.cuda.flash_sdp_enabled() and torch.backends.cuda.math_sdp_enabled()
    assert torch.backends.cuda.mem_efficient_sdp_enabled()
