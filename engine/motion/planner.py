"""A film's motion so far and what comes next of it: rows are planned once, in order, and may be taken back.

Called by the performer and by a live session's generator, each with a planner of its own. It must not know how the rows are drawn.
"""

from collections.abc import Mapping

import torch
from einops import rearrange
from torch import Tensor

from engine.called_expressions import NEUTRAL
from engine.characters import EXPRESSIONS
from engine.errors import BadInputError
from engine.flow.guidance import GuidanceScales
from engine.latent_tail import LatentTail
from engine.motion.plan import MotionModel, MotionTold, plan_motion
from engine.motion.smoothing import smoothed
from engine.posing.turning import FACING, TurnGoal, turned_towards

TURNS = "turns."
OPENING_ROWS = 3  # half a second at 24 frames: a head that turned in less would be torn from its portrait


class MotionPlanner:
    """The last rows of one film, numbered like its latents: row 0 is that of latent 0. Before it stands the row of rest."""

    def __init__(self, motion: MotionModel, slack_rows: int = 0, frames_a_row: int = 1) -> None:
        """`slack_rows` is how many rows can be taken back; a row is so many frames long, in each of which turns are told."""
        self.motion = motion
        self._rest_BM = motion.rest()
        self.first_BM = self._rest_BM  # what the picture before the film shows; to be set before anything is planned
        num_kept = motion.settings.history_rows + slack_rows
        self.tail = LatentTail(self._rest_BM[..., None, None], num_kept)
        self._num_kept_turns = num_kept + 2  # a turn goes on from the two frames before it
        self._turns = LatentTail(self._rest_BM.new_zeros(1, frames_a_row, 1, 1), self._num_kept_turns)

    @property
    def length(self) -> int:
        """Rows that are planned."""
        return self.tail.length

    @property
    def num_bytes(self) -> int:
        """Memory of the rows and turns that are kept, at most."""
        return self.tail.num_bytes + self._turns.num_bytes

    @property
    def num_history(self) -> int:
        """Rows that the next part of the plan follows on."""
        return min(max(self.length, 1), self.motion.settings.history_rows)

    def plan(self, told: MotionTold, noise_BFM: Tensor, guidance: GuidanceScales | None = None) -> None:
        """The next rows, as many as there is noise for. What is told begins `num_history` rows before them."""
        rest_B1M = self._rest_BM[:, None]
        history_BFM = torch.lerp(
            rest_B1M, self.tail.last(self.num_history)[..., 0, 0], self.motion.settings.history_keep
        )
        rows_BFM = plan_motion(self.motion, told, history_BFM, self._lots(noise_BFM), guidance).float()
        if told.feeling is not None and self.motion.settings.feelings:
            rows_BFM = self._felt(rows_BFM, told.feeling)
        if self.motion.settings.stiffness:
            before_BM = self.tail.last(1)[:, 0, :, 0, 0] if self.length else self.first_BM
            rows_BFM = smoothed(rows_BFM, before_BM, self.motion.settings.stiffness)
            rows_BFM = self._opened(rows_BFM)
        if told.is_mute_BT is not None and self.motion.settings.articulation:
            rows_BFM = self._silenced(rows_BFM, told.is_mute_BT)
        self.take(rows_BFM, told.turn)

    def _lots(self, noise_BFM: Tensor) -> Tensor:
        """The noise with as much of it left as what is articulated gets."""
        settings = self.motion.settings
        if not settings.articulation or settings.articulation_lot == 1.0:
            return noise_BFM
        lots_BFTK = rearrange(noise_BFM, "b f (t k) -> b f t k", k=len(settings.stiffness))
        lots_BFTK = torch.where(
            self._is_articulated_K(noise_BFM.device), settings.articulation_lot * lots_BFTK, lots_BFTK
        )
        return rearrange(lots_BFTK, "b f t k -> b f (t k)")

    def _is_articulated_K(self, device: torch.device) -> Tensor:
        """Which numbers of a frame nothing but one's own voice moves."""
        is_articulated_K = torch.zeros(len(self.motion.settings.stiffness), dtype=torch.bool, device=device)
        is_articulated_K[list(self.motion.settings.articulation)] = True
        return is_articulated_K

    def _felt(self, rows_BFM: Tensor, feeling: str) -> Tensor:
        """Rows that show the feeling called for and no other: a face that falls by itself is drawn over one that does not."""
        settings = self.motion.settings
        shown = () if feeling == NEUTRAL else (feeling, NEUTRAL)
        resting = [column for column, name in zip(settings.feelings, EXPRESSIONS, strict=True) if name not in shown]
        resting_K = torch.zeros(len(settings.stiffness), dtype=torch.bool, device=rows_BFM.device)
        resting_K[resting] = True
        return torch.where(resting_K.repeat(rows_BFM.shape[2] // len(resting_K)), self._rest_BM[:, None], rows_BFM)

    def _silenced(self, rows_BFM: Tensor, is_mute_BT: Tensor) -> Tensor:
        """Rows with what is articulated at rest in frames that are mute; `ValueError` where these are not the rows' frames."""
        width = len(self.motion.settings.stiffness)
        rows_BFTK = rearrange(rows_BFM, "b f (t k) -> b f t k", k=width)
        rest_B1TK = rearrange(self._rest_BM, "b (t k) -> b 1 t k", k=width)
        batch, num_rows, num_frames = rows_BFTK.shape[:3]
        if is_mute_BT.shape != (batch, num_rows * num_frames):
            raise ValueError(f"{tuple(is_mute_BT.shape)} mute frames are told of {num_rows} rows of {num_frames}")
        is_articulated_K = self._is_articulated_K(rows_BFM.device)
        is_mute_BFT1 = rearrange(is_mute_BT.to(rows_BFM.device), "b (f t) -> b f t 1", f=num_rows)
        silenced_BFM: Tensor = rearrange(
            torch.where(is_mute_BFT1 & is_articulated_K, rest_B1TK, rows_BFTK), "b f t k -> b f (t k)"
        )
        return silenced_BFM

    def _opened(self, rows_BFM: Tensor) -> Tensor:
        """The next rows, of which a film's first go over from its portrait into the plan.

        It begins slowly, but lips follow their sound within a row.
        """
        num_opening = min(max(OPENING_ROWS - self.length, 0), rows_BFM.shape[1])
        if not num_opening:
            return rows_BFM
        num_frames = rows_BFM.shape[2] // len(self.motion.settings.stiffness)
        frame_T = self.length * num_frames + torch.arange(1, num_opening * num_frames + 1, device=rows_BFM.device)
        eased_T = _eased(frame_T / (OPENING_ROWS * num_frames + 1))
        quick_T = (frame_T / (num_frames + 1)).clamp(max=1.0)
        share_TK = torch.where(self._is_articulated_K(rows_BFM.device), quick_T[:, None], eased_T[:, None])
        share_FM = rearrange(share_TK, "(f t) k -> f (t k)", t=num_frames)
        opening_BFM = torch.lerp(
            self.first_BM[:, None], rows_BFM[:, :num_opening], share_FM.expand_as(rows_BFM[:, :num_opening])
        )
        return torch.cat([opening_BFM, rows_BFM[:, num_opening:]], dim=1)

    def take(self, rows_BFM: Tensor, turn: TurnGoal = FACING) -> None:
        """Rows that were planned before, in which the character turns towards a goal."""
        self.tail.append(rows_BFM[..., None, None])
        frames_a_row, num_rows = self._turns.shape_CHW[0], rows_BFM.shape[1]
        before, last = self._turns.last(2).flatten()[-2:].tolist()
        turns = turned_towards(turn, (before, last), num_rows * frames_a_row)
        self._turns.append(rows_BFM.new_tensor(turns).view(1, num_rows, frames_a_row, 1, 1))

    def rows(self, start: int) -> Tensor:
        """The rows [1, F, M] from `start` to the end of the plan, as they are drawn; before the film there are zeros: not told."""
        before_BFM = torch.zeros_like(self._rest_BM)[:, None].expand(-1, max(-start, 0), -1)
        return torch.cat([before_BFM, self.motion.drawn(self.planned(max(start, 0)))], dim=1)

    def begin_turned(self, turn: float) -> None:
        """Have the film begin with the character so far round; `ValueError` where something is planned already."""
        if self.length:
            raise ValueError(f"a plan of {self.length} rows has begun")
        self._turns = LatentTail(torch.full_like(self._turns.last(1)[:, 0], turn), self._num_kept_turns)

    def turns(self, start: int) -> Tensor:
        """How far the character has turned round in each frame of the same rows, [1, F, T] in radians (`engine.posing.turning`)."""
        planned_BFT = self._turns.last(self.length - max(start, 0))[..., 0, 0]
        before_BFT = planned_BFT.new_zeros(1, max(-start, 0), planned_BFT.shape[2])
        return torch.cat([before_BFT, planned_BFT], dim=1)

    def planned(self, start: int) -> Tensor:
        """The rows [1, F, M] from `start` to the end of the plan."""
        return self.tail.last(self.length - start)[..., 0, 0]

    def truncate(self, length: int) -> None:
        """Take back what was planned after the first `length` rows; nothing where the plan is not that long."""
        if self.length > length:
            self.tail.truncate(length)
            self._turns.truncate(length)

    def tensors(self) -> dict[str, Tensor]:
        """The rows and turns, to be kept in a file."""
        return self.tail.tensors() | {f"{TURNS}{name}": tensor for name, tensor in self._turns.tensors().items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take on rows and turns from a file; `BadInputError` unless they fit."""
        self.tail.load(tensors, self.motion.settings.history_rows)
        turns = {name.removeprefix(TURNS): tensor for name, tensor in tensors.items() if name.startswith(TURNS)}
        self._turns.load(turns, self.motion.settings.history_rows)
        if self._turns.length != self.tail.length:
            raise BadInputError("the session's turns do not fit its plan of motion; open a new session")


def _eased(share_T: Tensor) -> Tensor:
    """Shares from 0 to 1 that begin and end slowly."""
    return share_T * share_T * (3.0 - 2.0 * share_T)
