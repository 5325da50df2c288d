"""Which processors compute in bfloat16: those that multiply it faster, and none where float32 is asked for."""

import pytest
import torch

from engine.precision import (
    FORMAT_VARIABLE,
    has_fast_bfloat16,
    multiplies_bfloat16_faster,
    number_format,
)

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "amx_bf16", "avx512_bf16", "is_faster"),
    [
        ("Intel Xeon", True, True, True),
        ("Intel Xeon", False, True, False),  # a virtual machine that hides AMX; Cooper Lake
        ("Intel Core i7-1185G7", False, False, False),
        ("AMD EPYC 9R14", False, True, True),
        ("AMD Ryzen 5 5600X", False, False, False),
    ],
)
def test_bfloat16_is_for_amx_and_for_what_multiplies_more_of_it_than_of_float32(
    name: str, amx_bf16: bool, avx512_bf16: bool, is_faster: bool
) -> None:
    told = {"cpu_name": name, "amx_bf16": amx_bf16, "avx512_bf16": avx512_bf16}
    assert multiplies_bfloat16_faster(told) is is_faster


def test_a_processor_that_tells_nothing_computes_in_float32() -> None:
    assert not multiplies_bfloat16_faster({})


def test_float32_is_had_by_asking_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FORMAT_VARIABLE, "float32")
    assert not has_fast_bfloat16(CPU) and number_format(CPU) == "cpu float32"


def test_this_machine_is_judged_by_what_torch_knows_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FORMAT_VARIABLE, raising=False)
    can_at_all = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    for amx_bf16 in (True, False):  # no machine is both
        told = {"cpu_name": "Intel Xeon", "amx_bf16": amx_bf16, "avx512_bf16": True}
        monkeypatch.setattr("engine.precision.processor_facts", lambda told=told: told)
        assert has_fast_bfloat16(CPU) is (can_at_all and amx_bf16)
