"""Weights of networks that have grown: what was learned is kept, and of what came behind it nothing is known yet.

A codec that was given fine channels, base models behind it, or a network that is told more than before begin as the smaller ones that they
were: weights that take the new numbers in are zero, and so are those that tell them.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.errors import BadInputError
from engine.int8_weights import unpacked


def fill_grown(path: Path, module: nn.Module) -> None:
    """Fills a module from the weights of one as large, or smaller; `BadInputError` where they do not fit.

    Behind the file's part a parameter is zero and a buffer what the module was built with, as is all that the file has not.
    """
    if not path.is_file():
        raise BadInputError(f"{path} does not exist; train it first, or name a folder that holds it")
    try:
        known, whole = unpacked(load_file(path)), module.state_dict()
    except (OSError, SafetensorError, ValueError) as error:
        raise BadInputError(f"{path} cannot be read as weights ({error}); fetch the pack again") from error
    if foreign := sorted(set(known) - set(whole)):
        raise BadInputError(f"{path} does not fit {type(module).__name__}: it has {foreign[0]}")
    parameters = dict(module.named_parameters())
    for name, tensor in known.items():
        if tensor.shape != whole[name].shape and not is_part(tensor, whole[name]):
            shapes = tuple(tensor.shape), tuple(whole[name].shape)
            raise BadInputError(f"{path} has {name} as {shapes[0]}, which cannot grow to {shapes[1]}")
        behind = torch.zeros_like(whole[name]) if name in parameters else whole[name].clone()
        known[name] = grown(tensor, behind)
    module.load_state_dict(whole | known)


def knows(path: Path, name: str) -> bool:
    """Whether a file of weights has a tensor of this name; `BadInputError` for what are no weights."""
    try:
        with safe_open(path, framework="pt") as opened:
            return name in opened.keys()  # noqa: SIM118 (not a mapping)
    except (OSError, SafetensorError) as error:
        raise BadInputError(f"{path} cannot be read as weights ({error}); fetch the pack again") from error


def is_part(known: Tensor, whole: Tensor) -> bool:
    """Whether a tensor is smaller than it is by now, and nowhere larger."""
    sizes = list(zip(known.shape, whole.shape, strict=False))
    return known.dim() == whole.dim() and known.shape != whole.shape and all(had <= has for had, has in sizes)


def grown(known: Tensor, behind: Tensor) -> Tensor:
    """What was known, in front of what stands `behind` it, which is as large as all is by now."""
    whole = behind.clone()
    whole[tuple(slice(0, size) for size in known.shape)] = known.to(whole)
    return whole
