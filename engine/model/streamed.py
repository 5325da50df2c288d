"""A transformer whose blocks stay on disk: each is mapped when its turn comes and let go after it.

Called by whoever opens a model that does not fit into memory. `Transformer` runs unchanged, in whole forwards and in chunks:
it iterates over its blocks, and here the iteration brings the weights. Memory, or a graphics card's, holds one block.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from engine.errors import BadPackError
from engine.mapped_tensors import MappedTensors
from engine.model.block import Block
from engine.model.transformer import Transformer
from engine.model_config import DitConfig

BLOCKS = "blocks."


class BlocksOnDisk(nn.Module):
    """Takes the place of the list of blocks; yields the same module again and again, each time with the next layer's weights."""

    def __init__(self, config: DitConfig, path: Path, dtype: torch.dtype | None, device: torch.device) -> None:
        """`dtype` None computes in the format of the file, on a processor without a copy; otherwise each block is converted as it comes."""
        super().__init__()
        self.num_layers, self.path, self.dtype, self.device = config.num_layers, path, dtype, device
        with torch.device("meta"):
            self.block = Block(config).eval().requires_grad_(False)
        self._names = list(self.block.state_dict())
        self._nothing = dict(self.block.state_dict())

    def __len__(self) -> int:
        """Layers."""
        return self.num_layers

    def __iter__(self) -> Iterator[Block]:
        """Each layer's block; its weights are gone when the next one comes, or when nobody asks for more."""
        for layer in range(self.num_layers):
            try:
                self._assign(self._read(layer))
                yield self.block
            finally:
                self._assign(self._nothing)

    def _read(self, layer: int) -> dict[str, Tensor]:
        with MappedTensors(self.path) as file:  # mapped anew, so that the pages of the last block are let go
            weights = {name: file.tensor(f"{BLOCKS}{layer}.{name}") for name in self._names}
        return {name: weight.to(self.device, self.dtype or weight.dtype) for name, weight in weights.items()}

    def _assign(self, weights: Mapping[str, Tensor]) -> None:
        self.block.load_state_dict(weights, assign=True)
        self.block.requires_grad_(False)


def transformer_on_disk(
    config: DitConfig, path: Path, dtype: torch.dtype | None = None, device: torch.device | None = None
) -> Transformer:
    """The transformer of a safetensors file: what is outside the blocks on the device as float32, the blocks on disk.

    `BadPackError` where a tensor is missing, surplus or of another shape, told from the file's header. The file's hash is not
    checked here, since that would read it whole; `lpm models verify` does.
    """
    device = device or torch.device("cpu")
    with torch.device("meta"):
        model = Transformer(config)
    _check(model, path)
    outside = [name for name in model.state_dict() if not name.startswith(BLOCKS)]
    model.blocks = BlocksOnDisk(config, path, dtype, device)  # type: ignore[assignment]
    with MappedTensors(path) as file:  # a copy of each, so that nothing keeps the file mapped
        weights = {name: file.tensor(name).to(device, torch.float32, copy=True) for name in outside}
    model.load_state_dict(weights, strict=False, assign=True)
    return model.eval().requires_grad_(False)


def transformer_as_stored(
    config: DitConfig, path: Path, dtype: torch.dtype | None, device: torch.device
) -> Transformer:
    """The same transformer with all of it in the device's memory: the blocks in `dtype`, None as in the file, the rest as float32."""
    with torch.device("meta"):
        model = Transformer(config)
    _check(model, path)
    with MappedTensors(path) as file:
        weights = {
            name: file.tensor(name).to(device, (dtype or kept) if name.startswith(BLOCKS) else torch.float32, copy=True)
            for name, kept in file.dtypes.items()
        }
    model.load_state_dict(weights, assign=True)
    return model.eval().requires_grad_(False)


def _check(model: Transformer, path: Path) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    try:
        with MappedTensors(path) as file:
            found = file.shapes
    except (OSError, SafetensorError) as error:
        raise BadPackError(f"{path} is missing or damaged ({error}); fetch the pack again") from error
    wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if wrong:
        raise BadPackError(f"{path} does not fit a transformer of these sizes: {', '.join(wrong[:10])}")
