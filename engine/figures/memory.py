"""Memory of a model by the precision of its weights: the weights, the cache of keys and values, and what a forward holds.

Called by `lpm models info`. Weights and cache are exact. What a forward holds is an estimate: the tensors alive at the widest point of
a block.
"""

from dataclasses import dataclass

from engine.figures.parameters import ParameterCount
from engine.figures.workload import Workload
from engine.model_config import DitConfig

FULL_BYTES, HALF_BYTES, QUARTER_BYTES = 4, 2, 1


@dataclass(frozen=True, kw_only=True)
class MemoryFigures:
    """Bytes at one precision."""

    weights_bytes: int
    cache_bytes: int
    working_bytes: int

    @property
    def total_bytes(self) -> int:
        """All that has to fit at once."""
        return self.weights_bytes + self.cache_bytes + self.working_bytes


def memory_by_precision(config: DitConfig, work: Workload, parameters: ParameterCount) -> dict[str, MemoryFigures]:
    """Figures by the precision of the weights; with 8-bit weights, activations and cache stay in bfloat16."""
    activations_bytes = {"float32": FULL_BYTES, "bfloat16": HALF_BYTES, "float8": HALF_BYTES, "int8": HALF_BYTES}
    return {
        precision: MemoryFigures(
            weights_bytes=weights_bytes(config, parameters, precision),
            cache_bytes=cache_bytes(config, work, number_bytes),
            working_bytes=working_bytes(config, work, number_bytes),
        )
        for precision, number_bytes in activations_bytes.items()
    }


def weights_bytes(config: DitConfig, parameters: ParameterCount, precision: str) -> int:
    """Bytes of all weights; `float8` and `int8` hold the blocks' matrices in one byte and everything else in two."""
    if precision in ("float32", "bfloat16"):
        return parameters.total * (FULL_BYTES if precision == "float32" else HALF_BYTES)
    matrices, rows_out = matrix_numbers(config)
    return matrices * QUARTER_BYTES + rows_out * FULL_BYTES + (parameters.total - matrices) * HALF_BYTES


def matrix_numbers(config: DitConfig) -> tuple[int, int]:
    """Numbers in the matrices of all blocks, and their output rows: q, k, v, o twice, three for sound, two of the feed-forward."""
    square = 11
    numbers = square * config.dim * config.dim + 2 * config.dim * config.ffn_dim
    rows_out = square * config.dim + config.ffn_dim + config.dim
    return config.num_layers * numbers, config.num_layers * rows_out


def cache_bytes(config: DitConfig, work: Workload, number_bytes: int = HALF_BYTES) -> int:
    """A key and a value as wide as the model for every token of the context and the references, in each layer."""
    if not work.is_cached:
        return 0
    return 2 * config.num_layers * work.key_tokens * config.dim * number_bytes


def working_bytes(config: DitConfig, work: Workload, number_bytes: int) -> int:
    """The residual stream in float32 and the wider of the two: attention (norm, q, k, v, rotated q and k, output) or feed-forward."""
    tokens, width = work.computed_tokens, config.dim
    attention = 7 * tokens * width * number_bytes
    if work.is_cached:  # one layer's keys and values, gathered and rotated for the kernel
        attention += 2 * work.key_tokens * width * number_bytes
    feed_forward = tokens * (2 * width + 2 * config.ffn_dim) * number_bytes
    return tokens * width * FULL_BYTES + max(attention, feed_forward)
