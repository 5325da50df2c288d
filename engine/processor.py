"""What torch knows of the processor that it runs on. Called where a number format or a kernel is chosen; it must not choose itself."""

from collections.abc import Mapping
from functools import cache

import torch


@cache
def processor_facts() -> Mapping[str, object]:
    """Its name (`cpu_name`) and what it can do, such as `amx_bf16`; nothing where torch is too old to tell."""
    tell = getattr(torch.cpu, "get_capabilities", dict)
    return dict(tell())


def is_intel(facts: Mapping[str, object]) -> bool:
    """Whether these are facts of one of Intel's."""
    return "Intel" in str(facts.get("cpu_name", ""))
