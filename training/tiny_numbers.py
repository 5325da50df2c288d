"""Counts numbers below 1e-38 as nothing while training.

Called once by programs that train. Below that float32 goes on with fewer and fewer digits, and processors take a hundred times as long over
such a number: gradients that have passed many layers are full of them. With them counted as nothing a step of the painting network takes
1.25 s where it took 2.0 (`docs/experiments.md`); what performs has none.
"""

import torch


def drop_tiny_numbers() -> bool:
    """Whether this processor can; for this thread and those that it starts from now on."""
    return bool(torch.set_flush_denormal(True))
