"""What one chunk is told: nothing that comes after its first step changes it, later updates wait for the next chunk (paper 5.3)."""

from dataclasses import dataclass

from torch import Tensor

from engine.posing.retoucher import PlannedPose
from engine.posing.turning import FACING, TurnGoal
from engine.references import ReferenceLatents


@dataclass(frozen=True, kw_only=True)
class ChunkConditions:
    """Conditions of `num_latents` new latents.

    Rows of sound begin `rows_before` of the model's windows, and `ChunkGenerator.history_latents` latents, before the chunk; where a
    plan looked further back than the models that draw, it leaves only theirs.
    references: the pictures that are shown from this chunk on; None where the generator's own stay.
    motion_BFM: how the character moves in the chunk, for models that are told (`engine.motion`), and in a window's history where
        windows are drawn; None before `ChunkGenerator.plan`, or where nobody tells.
    posed_BFCHW: the anchor in the pose of the latent before the chunk, or of a window's history, and of each of its own, for
        models that are shown it (`engine.posing`).
    is_mute_BT: in which of its frames the character's own voice is mute (`engine.motion.muteness`); None where nobody knows.
    feeling: the expression that is called for (`engine.characters.EXPRESSIONS`); None where nobody knows.
    turn: how far round the character is to turn (`engine.posing.turning`).
    pose: how the chunk is meant to look, for whoever retouches its pictures.
    effort: how much work the chunk may cost, from 0 (all) upwards; what a generator leaves out is its own matter.
    """

    num_latents: int
    text_BSD: Tensor
    speak_BAD: Tensor
    listen_BAD: Tensor
    references: ReferenceLatents | None = None
    motion_BFM: Tensor | None = None
    posed_BFCHW: Tensor | None = None
    is_mute_BT: Tensor | None = None
    feeling: str | None = None
    turn: TurnGoal = FACING
    pose: PlannedPose | None = None
    effort: int = 0
