"""The matting network's task (`engine.posing.matte`): portraits in, where in them the character is out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from engine.posing.matte import Matte
from engine.precision import fast_autocast
from training.data.mattes import MatteSamples
from training.tasks.portrait_task import PortraitTask
from training.tasks.pose_flow import as_pixels

SAMPLE_COLUMNS: Final = 12


@dataclass(kw_only=True)
class MatteTask(PortraitTask[MatteSamples]):
    """Satisfies `training.trainer.Task`."""

    matte: Matte
    num_held_out: int = 96

    def __post_init__(self) -> None:
        self.matte.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def model(self) -> nn.Module:
        """The network."""
        return self.matte

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """The last layer."""
        return ("head",)

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """The cross entropy of shares, what a perfect answer leaves of it taken off."""
        del generator
        truth_B1HW = batch["matte_HW"][:, None]
        loss = functional.binary_cross_entropy_with_logits(self._logits(batch), truth_B1HW)
        least = functional.binary_cross_entropy(truth_B1HW, truth_B1HW)
        return {"loss": loss - least}

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Mattes of characters that training never draws, without their rims: the share of what is the character's or is called so that
        both agree on (0 .. 1), mean and worst, and the share of the character that is called wall."""
        batch = self.held_out()
        with fast_autocast(batch["picture_HWC"].device):
            found_BHW = self.matte.pieces(as_pixels(batch["picture_HWC"]))[:, 0] > 0.5
        truth_BHW = batch["matte_HW"] > 0.5
        both_B, either_B = ((each).sum(dim=(1, 2)) for each in (found_BHW & truth_BHW, found_BHW | truth_BHW))
        overlap_B = both_B / either_B.clamp(min=1)
        lost_B = (truth_BHW & ~found_BHW).sum(dim=(1, 2)) / truth_BHW.sum(dim=(1, 2)).clamp(min=1)
        return {
            "held_out_overlap": float(overlap_B.mean()),
            "worst_overlap": float(overlap_B.min()),
            "lost_share": float(lost_B.mean()),
            "most_lost_share": float(lost_B.max()),
        }

    @torch.no_grad()
    def write_samples(self, folder: Path, step: int) -> None:
        """Portraits, what is found, truth, one below the other."""
        batch = {name: tensor[:SAMPLE_COLUMNS] for name, tensor in self.held_out().items()}
        pictures_BCHW = as_pixels(batch["picture_HWC"])
        mattes = (self.matte.of(pictures_BCHW), batch["matte_HW"][:, None])
        shown = [pictures_BCHW, *((each * 2 - 1).expand_as(pictures_BCHW) for each in mattes)]
        sheet = rearrange((torch.stack(shown) + 1) * 127.5, "row b c h w -> (row h) (b w) c").byte().numpy()
        cv2.imwrite(str(folder / f"sample-{step:06d}.png"), sheet[:, :, ::-1])

    def _logits(self, batch: dict[str, Tensor]) -> Tensor:
        pictures_BCHW = as_pixels(batch["picture_HWC"])
        with fast_autocast(pictures_BCHW.device):
            logits_B1HW: Tensor = self.matte(pictures_BCHW)
        return logits_B1HW.float()
