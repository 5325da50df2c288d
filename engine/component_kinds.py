"""The kinds of component that a pack's manifest may name: for each its frozen config and the module built from it.

Called by `load_pack`, by `lpm models info`, which wants sizes and no weights, and by `lpm models convert`, which writes such entries.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from torch import nn

from engine.codec.folded_vae import FoldedVae, FoldedVaeConfig
from engine.codec.wan.codec import WanVae
from engine.codec.wan.config import WanVaeConfig
from engine.encoders.audio import AudioEncoder, AudioEncoderConfig
from engine.encoders.text import TextEncoder, TextEncoderConfig
from engine.encoders.umt5 import Umt5, Umt5Config
from engine.encoders.wav2vec2 import Wav2Vec2, Wav2Vec2Config
from engine.errors import BadPackError
from engine.model.transformer import Transformer
from engine.model_config import DitConfig
from engine.packs import ComponentEntry, build_config
from engine.posing.matte import Matte, MatteConfig
from engine.posing.paint import Paint, PaintConfig
from engine.posing.pose_flow import PoseFlow, PoseFlowConfig
from engine.posing.retouch import Retouch, RetouchConfig


@dataclass(frozen=True, kw_only=True)
class ComponentKind:
    """How one kind of component is built."""

    config_class: type[Any]
    build: Callable[[Any], nn.Module]


KINDS: Final[Mapping[str, ComponentKind]] = {
    "transformer": ComponentKind(config_class=DitConfig, build=Transformer),
    "folded_vae": ComponentKind(config_class=FoldedVaeConfig, build=FoldedVae),
    "audio_encoder": ComponentKind(config_class=AudioEncoderConfig, build=AudioEncoder),
    "pose_flow": ComponentKind(config_class=PoseFlowConfig, build=PoseFlow),
    "matte": ComponentKind(config_class=MatteConfig, build=Matte),
    "paint": ComponentKind(config_class=PaintConfig, build=Paint),
    "retouch": ComponentKind(config_class=RetouchConfig, build=Retouch),
    "text_encoder": ComponentKind(config_class=TextEncoderConfig, build=TextEncoder),
    "wan_vae": ComponentKind(config_class=WanVaeConfig, build=WanVae),
    "wav2vec2": ComponentKind(config_class=Wav2Vec2Config, build=Wav2Vec2),
    "umt5": ComponentKind(config_class=Umt5Config, build=Umt5),
}


def component_config(entry: ComponentEntry, where: str) -> Any:
    """The config that an entry declares; `BadPackError` for a kind or a setting that this release does not have."""
    if entry.kind not in KINDS:
        raise BadPackError(
            f"{where}: {entry.role} is of kind {entry.kind!r}; this release has {', '.join(sorted(KINDS))}"
        )
    return build_config(KINDS[entry.kind].config_class, entry.config, f"{where}: {entry.role}")


def kind_of_config(config: object) -> str:
    """The kind of component that a config is of; `KeyError` for one that is of none."""
    return {kind.config_class: name for name, kind in KINDS.items()}[type(config)]


def build_component(entry: ComponentEntry, where: str) -> nn.Module:
    """The module of an entry, with the weights it starts with."""
    config = component_config(entry, where)
    return KINDS[entry.kind].build(config)
