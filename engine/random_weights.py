"""Random weights of any size, written tensor by tensor: what a model costs can be measured before there is one.

Called by `lpm models forward`. Each tensor is drawn from its name alone, so that the file is the same wherever it is made, and a
killed run is taken up where it was.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from engine.interop.dit_weights import keeps_float32
from engine.interop.tensor_file import TensorFileWriter, TensorSpec
from engine.model.transformer import Transformer
from engine.model_config import DitConfig


def transformer_specs(config: DitConfig, dtype: torch.dtype) -> dict[str, TensorSpec]:
    """Shapes and number formats of a transformer's tensors, matrices as `dtype`; nothing is allocated."""
    with torch.device("meta"):
        state = Transformer(config).state_dict()
    return {
        name: TensorSpec(shape=tuple(tensor.shape), dtype=torch.float32 if keeps_float32(name) else dtype)
        for name, tensor in state.items()
    }


def write_random_transformer(
    path: Path,
    config: DitConfig,
    dtype: torch.dtype = torch.bfloat16,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> str:
    """Writes the file, or goes on writing it; its sha256."""
    specs = transformer_specs(config, dtype)
    with TensorFileWriter(path, specs) as writer:
        while (name := writer.next_name) is not None:
            progress(writer.num_resumed, len(specs))
            writer.write(random_weight(name, specs[name]))
        sha256 = writer.sha256()
    writer.journal_path.unlink()
    return sha256


def random_weight(name: str, spec: TensorSpec) -> Tensor:
    """Norms are one, biases zero, everything else is uniform with the deviation 1/sqrt(inputs), sound and head not excepted."""
    if len(spec.shape) == 1:
        return torch.ones(spec.shape) if name.endswith("weight") else torch.zeros(spec.shape)
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
    bound = (3 / spec.shape[-1]) ** 0.5
    generator = torch.Generator().manual_seed(seed)
    return torch.empty(spec.shape, dtype=spec.dtype).uniform_(-bound, bound, generator=generator)
