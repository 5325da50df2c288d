"""Weights shared by processes: FSDP2, block by block; HSDP where a mesh has copies (paper 5.1).

Called by the trainer before the optimiser is made. Beside it the way between shards and whole tensors: checkpoints and packs
hold whole tensors, so that a run resumes on any number of processes, or alone.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, Replicate
from torch.utils._pytree import tree_map

from engine.errors import BadInputError
from engine.model.block import Block
from engine.model.transformer import Transformer

STREAMING_METHODS: dict[type[nn.Module], tuple[str, ...]] = {
    Block: ("forward_chunk", "forward_references"),
    Transformer: ("forward_chunk", "encode_references"),
}


def shard_weights(model: nn.Module, mesh: DeviceMesh) -> None:
    """Wraps every block, every transformer and the model around them; a mesh [copies, shards] with one copy is plain FSDP."""
    # Blocks return views; nobody changes them in place.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module", category=UserWarning)
    flat = mesh if mesh.size(0) > 1 else mesh["shards"]
    for kind, methods in STREAMING_METHODS.items():
        for module in [each for each in model.modules() if isinstance(each, kind)]:
            fully_shard(module, mesh=flat)
            for method in methods:
                register_fsdp_forward_method(module, method)
    if not isinstance(model, FSDPModule):
        fully_shard(model, mesh=flat)


def gather_no_longer(model: nn.Module) -> None:
    """Lets go of weights that a forward pass without a backward pass has left gathered."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def synchronise_gradients(model: nn.Module, is_last: bool) -> None:
    """Gradients of accumulated batches travel once, with the last one."""
    if isinstance(model, FSDPModule):
        model.set_requires_gradient_sync(is_last)


def whole_tensor(tensor: Tensor) -> Tensor:
    """All of a sharded tensor, on every process; a collective."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def sharded_like(whole: Tensor, like: Tensor) -> Tensor:
    """This process's part of a tensor that every process has whole."""
    if not isinstance(like, DTensor):
        return whole.to(like.device)
    everywhere = [Replicate()] * like.device_mesh.ndim
    replicated = DTensor.from_local(whole.to(like.device), like.device_mesh, everywhere, run_check=False)
    return replicated.redistribute(placements=like.placements)


def whole_state(tree: Any, keeps: bool) -> Any:
    """A nested state with every sharded tensor whole, in the host's memory where this process `keeps` it; a collective."""

    def gather(value: Any) -> Any:
        if not isinstance(value, DTensor):
            return value
        whole = whole_tensor(value)
        return whole.cpu() if keeps else None

    return tree_map(gather, tree)


@torch.no_grad()
def load_whole_weights(model: nn.Module, state: dict[str, Tensor], where: str) -> None:
    """Fills a model, sharded or not, from whole tensors; `BadInputError` names the first that does not fit."""
    own = {**dict(model.named_parameters()), **{name: model.get_buffer(name) for name in _kept_buffers(model)}}
    for name in sorted(own.keys() ^ state.keys()):
        lacks = "lacks" if name in own else "has"
        raise BadInputError(f"{where} {lacks} {name}, unlike this model; train into another folder")
    for name, tensor in own.items():
        if tensor.shape != state[name].shape:
            shapes = f"{tuple(state[name].shape)}, here {tuple(tensor.shape)}"
            raise BadInputError(f"{where} was made with another model: {name} is {shapes}; train into another folder")
        tensor.copy_(sharded_like(state[name].to(tensor.dtype), tensor))


@contextmanager
def whole_weights(model: nn.Module, keeps: bool) -> Iterator[None]:
    """Inside, a sharded model's parameters are whole tensors where this process `keeps` them, as an export needs them."""
    shards = [
        (module, name, parameter)
        for module in model.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if isinstance(parameter, DTensor)
    ]
    wholes = [whole_tensor(parameter.detach()) for _, _, parameter in shards]
    try:
        for (module, name, _), whole in zip(shards, wholes, strict=True):
            if keeps:
                module._parameters[name] = nn.Parameter(whole.cpu(), requires_grad=False)
        yield
    finally:
        for module, name, parameter in shards:
            module._parameters[name] = parameter


def _kept_buffers(model: nn.Module) -> list[str]:
    return [name for name in model.state_dict(keep_vars=True) if name not in dict(model.named_parameters())]
