"""What a conversion will write, known to the last name and shape before a byte is written.

Called by the converter. Missing, surplus and misshapen tensors are found here, from headers alone: modules stand on the meta device
and transformations run on tensors without content.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from engine.component_kinds import KINDS
from engine.errors import BadInputError
from engine.interop.checkpoint_files import Checkpoint, TensorReader
from engine.interop.dit_weights import adapted, initial_audio, is_added, keeps_float32
from engine.interop.layout import CheckpointLayout, TransformingLayout
from engine.interop.public_models import TRANSFORMER, PublicModel
from engine.interop.tensor_file import TensorSpec

NAMES_TOLD: Final = 40


@dataclass(frozen=True, kw_only=True)
class ComponentPlan:
    """One component: where each of its tensors comes from. `sources` lacks those that are added; `companions` are files beside
    the weights by the names that the pack gives them."""

    model: PublicModel
    layout: CheckpointLayout
    checkpoint: Checkpoint
    config: Any
    specs: Mapping[str, TensorSpec]
    sources: Mapping[str, str]
    dropped: tuple[str, ...]
    companions: Mapping[str, Path]

    @property
    def file_name(self) -> str:
        """Its file in the pack, named for its first role."""
        return f"{self.model.roles[0]}.safetensors"

    @property
    def added(self) -> tuple[str, ...]:
        """Tensors that the checkpoint does not have and that begin anew."""
        return tuple(name for name in self.specs if name not in self.sources)

    def tensor(self, target: str, reader: TensorReader) -> Tensor:
        """One tensor as our module takes it, not yet in its number format."""
        if target not in self.sources:
            return initial_audio(target, self.specs[target].shape)
        source = self.sources[target]
        return changed(self.layout, self.model, self.config, source, target, reader.read(source))

    def fingerprint(self) -> str:
        """Equal for equal sources, names, shapes and number formats; a killed run is only taken up by an equal one."""
        specs = {name: [list(spec.shape), str(spec.dtype), self.sources.get(name)] for name, spec in self.specs.items()}
        facts = {"from": self.checkpoint.fingerprint(), "config": repr(self.config), "tensors": specs}
        return json.dumps(facts, sort_keys=True)


def plan_component(
    model: PublicModel, layout: CheckpointLayout, checkpoint: Checkpoint, config: Any, dtype: torch.dtype
) -> ComponentPlan:
    """The plan of one component; `BadInputError` lists by name what is missing, surplus or of the wrong shape."""
    config, companions = model.with_companions(config, checkpoint.place)
    with torch.device("meta"):
        module = KINDS[model.kind].build(config)
    wanted = module.state_dict()
    buffers = {name for name, _ in module.named_buffers()}
    targets, dropped, surplus = _targets(layout, checkpoint)
    sources: dict[str, str] = {}
    complaints: dict[str, list[str]] = {"surplus": surplus, "twice": [], "of the wrong shape": [], "missing": []}
    for source, target in targets.items():
        if target not in wanted:
            surplus.append(source)
        elif target in sources:
            complaints["twice"].append(f"{source} (also {sources[target]})")
        else:
            sources[target] = source
            shape = _shape(layout, model, config, source, target, checkpoint.shapes[source])
            if shape != tuple(wanted[target].shape):
                complaints["of the wrong shape"].append(f"{source} ({_text(shape)} for {_text(wanted[target].shape)})")
    may_add = model is TRANSFORMER
    complaints["missing"] = [name for name in wanted if name not in sources and not (may_add and is_added(name))]
    if any(complaints.values()):
        found = "; ".join(f"{what}: {_listed(names)}" for what, names in complaints.items() if names)
        raise BadInputError(f"{checkpoint.place} is no whole {model.name}: {found}; nothing was written")
    specs = {
        name: TensorSpec(shape=tuple(tensor.shape), dtype=_stored_dtype(name, tensor, dtype, name in buffers, may_add))
        for name, tensor in wanted.items()
    }
    return ComponentPlan(
        model=model,
        layout=layout,
        checkpoint=checkpoint,
        config=config,
        specs=specs,
        sources=sources,
        dropped=tuple(dropped),
        companions=companions,
    )


def changed(
    layout: CheckpointLayout, model: PublicModel, config: Any, source: str, target: str, tensor: Tensor
) -> Tensor:
    """A public tensor as our module takes it."""
    if isinstance(layout, TransformingLayout):
        tensor = layout.transform(source, tensor)
    return adapted(target, tensor, config.num_heads, config.in_channels) if model is TRANSFORMER else tensor


def _targets(layout: CheckpointLayout, checkpoint: Checkpoint) -> tuple[dict[str, str], list[str], list[str]]:
    """Our name for each source name, the names knowingly dropped, and those that the layout does not know."""
    targets: dict[str, str] = {}
    dropped: list[str] = []
    surplus: list[str] = []
    for source in checkpoint.shapes:
        try:
            target = layout.target_name(source)
        except KeyError:
            surplus.append(source)
            continue
        if target is None:
            dropped.append(source)
        else:
            targets[source] = target
    return targets, dropped, surplus


def _shape(
    layout: CheckpointLayout, model: PublicModel, config: Any, source: str, target: str, shape: tuple[int, ...]
) -> tuple[int, ...]:
    """The shape that a tensor will have; one that cannot be changed at all keeps its own and fits nothing."""
    try:
        return tuple(changed(layout, model, config, source, target, torch.empty(shape, device="meta")).shape)
    except (RuntimeError, ValueError, IndexError):
        return shape


def _stored_dtype(name: str, tensor: Tensor, dtype: torch.dtype, is_buffer: bool, is_transformer: bool) -> torch.dtype:
    if not tensor.is_floating_point():
        return tensor.dtype
    return torch.float32 if is_buffer or (is_transformer and keeps_float32(name)) else dtype


def _text(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "one number"


def _listed(names: list[str]) -> str:
    more = len(names) - NAMES_TOLD
    return ", ".join(names[:NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")
