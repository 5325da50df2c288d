"""Which public networks there are, which component of a pack each becomes, and the layouts that it is published in.

Called by the converter. The one table to add a line to for another checkpoint.
"""

from dataclasses import dataclass
from typing import Final

from engine.interop import wan_diffusers, wan_official
from engine.interop.checkpoint_files import Checkpoint
from engine.interop.layout import CheckpointLayout


@dataclass(frozen=True, kw_only=True)
class PublicModel:
    """One network: the kind of component, the roles it plays in a pack, its layouts."""

    name: str
    kind: str
    roles: tuple[str, ...]
    layouts: tuple[CheckpointLayout, ...]

    def layout_of(self, checkpoint: Checkpoint) -> CheckpointLayout | None:
        """The layout that recognises a checkpoint's names."""
        return next((layout for layout in self.layouts if layout.recognises(checkpoint.shapes.keys())), None)


TRANSFORMER: Final = PublicModel(
    name="Wan2.1 transformer", kind="transformer", roles=("base",), layouts=(wan_official, wan_diffusers)
)
PUBLIC_MODELS: Final = (TRANSFORMER,)
