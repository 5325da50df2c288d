"""Which public networks there are, which component of a pack each becomes, and the layouts that it is published in.

Called by the converter. The one table to add a line to for another checkpoint.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from engine.codec.wan.config import WAN_VAE
from engine.encoders.wav2vec2 import Wav2Vec2Config
from engine.interop import (
    umt5_huggingface,
    umt5_official,
    wan_diffusers,
    wan_official,
    wan_vae_diffusers,
    wan_vae_official,
    wav2vec2_huggingface,
)
from engine.interop.checkpoint_files import Checkpoint
from engine.interop.layout import CheckpointLayout
from engine.interop.umt5_tokenizer_file import with_tokenizer
from engine.model_config import WAN_1_3B


def _no_companions(config: Any, weights: Path) -> tuple[Any, dict[str, Path]]:
    del weights
    return config, {}


def _same_in_every_role(config: Any, role: str) -> Any:
    del role
    return config


def _rows_of_role(config: Wav2Vec2Config, role: str) -> Wav2Vec2Config:
    """The presets listen in coarser rows than they speak."""
    window = WAN_1_3B.listen_window if role == "listen_encoder" else WAN_1_3B.speak_window
    return replace(
        config, rows=replace(config.rows, frames_per_row=WAN_VAE.frames_per_latent // window.rows_per_latent)
    )


@dataclass(frozen=True, kw_only=True)
class PublicModel:
    """One network: the kind of component, the roles it plays in a pack, its layouts.

    with_companions: the config and, by their names in the pack, the files beside the weights that go along.
    config_in_role: the config as each role has it.
    """

    name: str
    kind: str
    roles: tuple[str, ...]
    layouts: tuple[CheckpointLayout, ...]
    with_companions: Callable[[Any, Path], tuple[Any, dict[str, Path]]] = _no_companions
    config_in_role: Callable[[Any, str], Any] = _same_in_every_role

    def layout_of(self, checkpoint: Checkpoint) -> CheckpointLayout | None:
        """The layout that recognises a checkpoint's names."""
        return next((layout for layout in self.layouts if layout.recognises(checkpoint.shapes.keys())), None)


TRANSFORMER: Final = PublicModel(
    name="Wan2.1 transformer", kind="transformer", roles=("base",), layouts=(wan_official, wan_diffusers)
)
PUBLIC_MODELS: Final = (
    TRANSFORMER,
    PublicModel(name="Wan2.1 VAE", kind="wan_vae", roles=("codec",), layouts=(wan_vae_official, wan_vae_diffusers)),
    PublicModel(
        name="UMT5 encoder",
        kind="umt5",
        roles=("text_encoder",),
        layouts=(umt5_official, umt5_huggingface),
        with_companions=with_tokenizer,
    ),
    PublicModel(
        name="wav2vec 2.0 model",
        kind="wav2vec2",
        roles=("speak_encoder", "listen_encoder"),
        layouts=(wav2vec2_huggingface,),
        config_in_role=_rows_of_role,
    ),
)
