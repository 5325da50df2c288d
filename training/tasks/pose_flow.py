"""The pose flow's task (`engine.posing`): pictures at rest in, how their pixels move in a pose out, judged by the picture in that pose."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from engine.posing.pose_flow import PoseFlow
from engine.precision import fast_autocast
from training.data.posed_pairs import PosedPairSamples
from training.tasks.codec import to_psnr_db
from training.tasks.portrait_task import PortraitTask

SCALES = (1, 2, 4, 8)  # pixels in a square that counts as one: far moves are seen from afar
SMOOTHNESS = 0.02
FOCUS_WEIGHT = 6.0  # of mouth and eyes
SAMPLE_COLUMNS = 8


@dataclass(kw_only=True)
class PoseFlowTask(PortraitTask[PosedPairSamples]):
    """Satisfies `training.trainer.Task`."""

    flow: PoseFlow
    num_held_out: int = 64

    def __post_init__(self) -> None:
        self.flow.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def model(self) -> nn.Module:
        """The network."""
        return self.flow

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """The last layers, whose outputs are fields of very different sizes."""
        return ("head",)

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """How the moved picture differs from the posed one, from near and from afar, and how rough the flow is."""
        del generator
        posed_BCHW, fields_BNCHW = self._posed(batch)
        seen = picture_distance(posed_BCHW, as_pixels(batch["posed_HWC"]), batch["focus_HW"].float())
        return {"loss": seen + SMOOTHNESS * roughness(fields_BNCHW), "distance": seen.detach()}

    def measure(self) -> dict[str, float]:
        """PSNR of held-out characters in their poses, and what it would be if nothing moved: the actor's own, then strangers."""
        own, strangers = (self._measured(self.held_out(stranger_share=share)) for share in (0.0, 1.0))
        return own | {f"strangers_{name}": db for name, db in strangers.items()}

    def _measured(self, batch: dict[str, Tensor]) -> dict[str, float]:
        posed_BCHW, _ = self._posed(batch)
        truth_BCHW, rest_BCHW, focus_BHW = (
            as_pixels(batch["posed_HWC"]),
            as_pixels(batch["rest_HWC"]),
            batch["focus_HW"],
        )
        return {
            "held_out_psnr_db": _psnr_db(posed_BCHW, truth_BCHW),
            "still_psnr_db": _psnr_db(rest_BCHW, truth_BCHW),
            "held_out_focus_psnr_db": _psnr_db(posed_BCHW, truth_BCHW, focus_BHW),
            "still_focus_psnr_db": _psnr_db(rest_BCHW, truth_BCHW, focus_BHW),
        }

    def write_samples(self, folder: Path, step: int) -> None:
        """At rest, moved, truth, one below the other."""
        batch = {name: tensor[:SAMPLE_COLUMNS] for name, tensor in self.held_out().items()}
        posed_BCHW, _ = self._posed(batch)
        rows = torch.stack([as_pixels(batch["rest_HWC"]), posed_BCHW.clamp(-1, 1), as_pixels(batch["posed_HWC"])])
        sheet = rearrange((rows + 1) * 127.5, "row b c h w -> (row h) (b w) c").byte().numpy()
        cv2.imwrite(str(folder / f"sample-{step:06d}.png"), sheet[:, :, ::-1])

    def _posed(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The pictures moved into their poses, [B, 3, H, W], and by which fields, [B, N, 2, g, g]."""
        rest_BCHW = as_pixels(batch["rest_HWC"])
        with fast_autocast(rest_BCHW.device):
            fields_BNCHW = self.flow(rest_BCHW)
        terms_BTN = self.flow.terms(batch["pose_P"][:, None])
        return self.flow.moved(rest_BCHW, fields_BNCHW, terms_BTN)[:, 0], fields_BNCHW


def as_pixels(pictures_BHWC: Tensor) -> Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, H, W] in [-1, 1]."""
    return rearrange(pictures_BHWC, "b h w c -> b c h w").float() / 127.5 - 1.0


def picture_distance(made_BCHW: Tensor, truth_BCHW: Tensor, focus_BHW: Tensor) -> Tensor:
    """Mean absolute difference, rounded at zero, of pictures and of their means over ever larger squares; `focus_BHW` counts more."""
    weight_B1HW = 1.0 + (FOCUS_WEIGHT - 1.0) * focus_BHW[:, None]
    distances = []
    for scale in SCALES:
        difference_BCHW = functional.avg_pool2d(made_BCHW - truth_BCHW, scale)
        distances.append(((difference_BCHW.square() + 1e-4).sqrt() * functional.avg_pool2d(weight_B1HW, scale)).mean())
    return torch.stack(distances).mean()


def roughness(fields_BNCHW: Tensor) -> Tensor:
    """How much fields differ from one position to the next; 0 where there are none."""
    if not fields_BNCHW.shape[1]:
        return fields_BNCHW.new_zeros(())
    return torch.stack([fields_BNCHW.diff(dim=axis).abs().mean() for axis in (3, 4)]).sum()


def _psnr_db(made_BCHW: Tensor, truth_BCHW: Tensor, where_BHW: Tensor | None = None) -> float:
    """Mean over pictures, of all pixels or of some."""
    errors_BHW = (made_BCHW - truth_BCHW).square().mean(dim=1)
    counted_BHW = torch.ones_like(errors_BHW) if where_BHW is None else where_BHW.to(errors_BHW.dtype)
    errors_B = (errors_BHW * counted_BHW).sum(dim=(1, 2)) / counted_BHW.sum(dim=(1, 2)).clamp(min=1.0)
    return sum(to_psnr_db(error) for error in errors_B) / len(errors_B)
