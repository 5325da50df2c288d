"""Low-rank adapters in a transformer (Hu et al. 2021), by peft: injected, exported, merged.

An adapter file is safetensors: two small matrices a layer, with rank, alpha and the hash of the weights it belongs to in its header. Merged
weights have the base model's own names, so that a pack takes them like any others.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.errors import BadInputError, MissingDependencyError
from engine.model.transformer import Transformer

ADAPTER_NAME: Final = "default"
HEADER: Final = "lpm_adapter"
BASE_LAYER: Final = ".base_layer."
DOWN, UP = f"lora_A.{ADAPTER_NAME}", f"lora_B.{ADAPTER_NAME}"


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """rank: columns of the two matrices; their product is scaled by alpha / rank. targets: names of the layers that get some."""

    rank: int = 32
    alpha: int = 32
    targets: tuple[str, ...] = ("q", "k", "v", "o", "k_audio", "v_audio", "o_audio", "ffn.0", "ffn.2")

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha <= 0 or not self.targets:
            raise ValueError("an adapter needs a positive rank and alpha, and layers to sit in")

    @property
    def scale(self) -> float:
        """What the product of the matrices counts."""
        return self.alpha / self.rank


def add_adapters(transformer: Transformer, config: LoraConfig) -> None:
    """Puts adapters, which begin as nothing, into the target layers; everything else is frozen."""
    try:
        from peft import LoraConfig as PeftConfig
        from peft import inject_adapter_in_model
    except ImportError as error:
        raise MissingDependencyError("LoRA needs peft; install it with: pip install lpm-studio[training]") from error
    settings = PeftConfig(r=config.rank, lora_alpha=config.alpha, target_modules=list(config.targets), lora_dropout=0.0)
    inject_adapter_in_model(settings, transformer, adapter_name=ADAPTER_NAME)
    for name, parameter in transformer.named_parameters():
        parameter.requires_grad_("lora_" in name)


def adapter_tensors(transformer: nn.Module) -> dict[str, Tensor]:
    """Both matrices of every layer, by the layer's name: `blocks.0.ffn.0.lora_A.weight`."""
    return {
        name.replace(f".{ADAPTER_NAME}.", "."): tensor.detach().cpu().contiguous()
        for name, tensor in transformer.state_dict().items()
        if "lora_" in name
    }


def save_adapter(path: Path, transformer: nn.Module, config: LoraConfig, base_sha256: str) -> None:
    """The adapter alone."""
    header = json.dumps({**asdict(config), "base_sha256": base_sha256})
    partial = path.with_suffix(".partial")
    save_file(adapter_tensors(transformer), partial, metadata={HEADER: header})
    partial.replace(path)


def read_adapter(path: Path, base_sha256: str) -> tuple[LoraConfig, dict[str, Tensor]]:
    """An adapter and how it is scaled; `BadInputError` for a file that is none, or belongs to other weights."""
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[HEADER])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (a file is no mapping)
        belongs_to = header.pop("base_sha256")
        config = LoraConfig(**{**header, "targets": tuple(header["targets"])})
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BadInputError(f"{path} is no adapter of this studio: {error}") from error
    if belongs_to != base_sha256:
        raise BadInputError(f"{path} was made for other weights ({belongs_to[:12]}, not {base_sha256[:12]})")
    return config, tensors


@torch.no_grad()
def merged_state(base: dict[str, Tensor], adapter: dict[str, Tensor], scale: float) -> dict[str, Tensor]:
    """The base weights with `scale` times the product of each layer's matrices added; `BadInputError` where one has no place."""
    merged = {name: tensor.clone() for name, tensor in base.items()}
    for name, down in adapter.items():
        if not name.endswith(".lora_A.weight"):
            continue
        layer = name.removesuffix(".lora_A.weight")
        up = adapter.get(f"{layer}.lora_B.weight")
        weight = merged.get(f"{layer}.weight")
        if up is None or weight is None or (up.shape[0], down.shape[1]) != tuple(weight.shape):
            raise BadInputError(f"the adapter's {layer} has no place in this model")
        weight += scale * (up.float() @ down.float()).to(weight.dtype)
    return merged


def own_state(transformer: nn.Module) -> dict[str, Tensor]:
    """The weights without the adapters, under the names that they have without."""
    return {
        name.replace(BASE_LAYER, "."): tensor
        for name, tensor in transformer.state_dict().items()
        if "lora_" not in name
    }


def merged_transformer(transformer: Transformer, config: LoraConfig) -> Transformer:
    """A plain transformer that computes the same."""
    plain = Transformer(transformer.config)
    plain.load_state_dict(merged_state(own_state(transformer), adapter_tensors(transformer), config.scale))
    return plain


def numbers_trained(model: nn.Module) -> dict[str, Any]:
    """How many parameters are trained, of how many."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return {"trained": sum(size for size, is_trained in sizes if is_trained), "all": sum(size for size, _ in sizes)}
