"""The retouching network's task (`engine.posing.retouch`): decoded pictures and the moved anchor in, sharper pictures out.

What it meets in films was drawn by a model, not encoded from the truth. A model that is not sure draws something between: between what
is meant and the anchor in pose, or between what was before and what comes next. So some latents here are pulled either way.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import cv2
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from engine.codec.folded_vae import FoldedVae
from engine.packs import fill_from_file, save_weights
from engine.posing.pose_flow import PoseFlow
from engine.posing.poser import Poser
from engine.posing.retouch import Retouch
from engine.precision import fast_autocast
from training.data.motion_rows import motion_rows, rest_row
from training.data.posed_films import PosedFilmSamples
from training.loader import first_samples, numbered_batches
from training.parallel import World
from training.tasks.codec import HELD_OUT_IDENTITY, to_pixels, to_psnr_db
from training.tasks.pose_flow import picture_distance

UNSURE_SHARE: Final = 0.4  # of the samples, either way, by up to so much of it:
MOST_TO_ANCHOR: Final = 0.5
MOST_TO_MEAN: Final = 0.9
EDGE_WEIGHT: Final = 1.0
EDGE_REACH_PX: Final = 4
STRENGTH_WEIGHT: Final = 2.0
SAMPLE_COLUMNS: Final = 8
SHOWN_FRAME: Final = 5


@dataclass(kw_only=True)
class RetouchTask:
    """Satisfies `training.trainer.Task`; codec and flow are frozen."""

    retouch: Retouch
    codec: FoldedVae
    flow: PoseFlow
    samples: PosedFilmSamples
    weights_file: str
    num_held_out: int = 24
    _held_out: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for module in (self.retouch, self.codec, self.flow):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def model(self) -> nn.Module:
        """The network."""
        return self.retouch

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """The last layers, which begin at nothing."""
        return ("share", "touch")

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """Films from sample `first_sample` on."""
        return numbered_batches(self.samples, first_sample, batch_samples, world, num_workers)

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """How the retouched pictures differ from the truth, from near and from afar, and how their edges do."""
        decoded_BTCHW, moved_BTCHW = self._before(batch, Unsure.drawn(len(batch["anchor_HWC"]), generator))
        truth_BTCHW = to_pixels(batch["pixels_THWC"])
        made_BCHW, truth_BCHW = (
            films.flatten(0, 1) for films in (self.retouch(decoded_BTCHW, moved_BTCHW), truth_BTCHW)
        )
        seen = picture_distance(made_BCHW, truth_BCHW, batch["focus_THW"].flatten(0, 1).float())
        edges = edge_distance(made_BCHW, truth_BCHW)
        return {"loss": seen + EDGE_WEIGHT * edges, "distance": seen.detach(), "edges": edges.detach()}

    def measure(self) -> dict[str, float]:
        """PSNR and finest edges of held-out characters retouched, as they were decoded, and of the moved anchor alone."""
        batch = self.held_out()
        decoded_BTCHW, moved_BTCHW = self._before(batch)
        with fast_autocast(decoded_BTCHW.device):
            made_BTCHW = self.retouch(decoded_BTCHW, moved_BTCHW)
        truth_BTCHW = to_pixels(batch["pixels_THWC"])
        measures: dict[str, float] = {}
        for name, films in (("held_out", made_BTCHW), ("decoded", decoded_BTCHW), ("moved", moved_BTCHW)):
            error_BTHW = (films.float().clamp(-1, 1) - truth_BTCHW).square().mean(dim=2)
            measures[f"{name}_psnr_db"] = to_psnr_db(error_BTHW.mean())
            measures[f"{name}_focus_psnr_db"] = to_psnr_db(error_BTHW[batch["focus_THW"]].mean())
            measures[f"{name}_edges"] = float(_finest(films.float()) / _finest(truth_BTCHW))
        return measures

    def write_samples(self, folder: Path, step: int) -> None:
        """The moved anchor, decoded, retouched, truth, one below the other."""
        batch = {name: tensor[:SAMPLE_COLUMNS] for name, tensor in self.held_out().items()}
        decoded_BTCHW, moved_BTCHW = self._before(batch)
        with fast_autocast(decoded_BTCHW.device):
            made_BTCHW = self.retouch(decoded_BTCHW, moved_BTCHW)
        films = torch.stack([moved_BTCHW, decoded_BTCHW, made_BTCHW, to_pixels(batch["pixels_THWC"])])
        rows = films[:, :, SHOWN_FRAME].float().clamp(-1, 1)
        sheet = rearrange((rows + 1) * 127.5, "row b c h w -> (row h) (b w) c").byte().numpy()
        cv2.imwrite(str(folder / f"sample-{step:06d}.png"), sheet[:, :, ::-1])

    def export(self, folder: Path) -> None:
        """The network's weights in `folder`."""
        save_weights(folder / self.weights_file, self.retouch)

    def start_from(self, folder: Path) -> None:
        """Another run's or a pack's network."""
        fill_from_file(folder / self.weights_file, self.retouch)

    def held_out(self) -> dict[str, Tensor]:
        """Films of characters that training never draws, always the same."""
        if not self._held_out:
            make = replace(self.samples, first_identity=HELD_OUT_IDENTITY)
            self._held_out = first_samples(make, self.num_held_out)
        return self._held_out

    @torch.no_grad()
    def _before(self, batch: dict[str, Tensor], unsure: "Unsure | None" = None) -> tuple[Tensor, Tensor]:
        """Decoded films and moved anchors, [B, T, 3, H, W]; films of the true latents, or of unsure ones."""
        anchor_BCHW = rearrange(batch["anchor_HWC"], "b h w c -> b c h w").float() / 127.5 - 1.0
        rows_BFM = torch.stack([motion_rows(state_TK) for state_TK in batch["state_TK"]])
        with fast_autocast(anchor_BCHW.device):
            poser = Poser(self.flow, self.codec, rest_row())
            moved_BTCHW, posed_BFCHW = poser.pictures(anchor_BCHW, rows_BFM), poser.latents(anchor_BCHW, rows_BFM)
            latents_BFCHW = self.codec.encode(to_pixels(batch["pixels_THWC"])).float()
            if unsure is not None:
                latents_BFCHW = unsure.drawing_of(latents_BFCHW, posed_BFCHW)
            decoded_BTCHW = self.codec.decode(latents_BFCHW)
        return decoded_BTCHW.float(), moved_BTCHW


@dataclass(frozen=True, kw_only=True)
class Unsure:
    """How far each film's latents lie towards those of the anchor in pose, and towards their own mean over time."""

    to_anchor_B: Tensor
    to_mean_B: Tensor

    @classmethod
    def drawn(cls, num_films: int, generator: torch.Generator) -> "Unsure":
        """By lot, each film for itself."""
        way_B, most = torch.rand(num_films, generator=generator), torch.rand(2, num_films, generator=generator)
        is_to_anchor_B, is_to_mean_B = way_B < UNSURE_SHARE, way_B > 1 - UNSURE_SHARE
        return cls(
            to_anchor_B=MOST_TO_ANCHOR * most[0] * is_to_anchor_B, to_mean_B=MOST_TO_MEAN * most[1] * is_to_mean_B
        )

    def drawing_of(self, true_BFCHW: Tensor, posed_BFCHW: Tensor) -> Tensor:
        """What a model that is so unsure draws of a film."""
        to_anchor, to_mean = (share_B.view(-1, 1, 1, 1, 1) for share_B in (self.to_anchor_B, self.to_mean_B))
        towards_BFCHW = torch.lerp(true_BFCHW, posed_BFCHW, to_anchor)
        return torch.lerp(towards_BFCHW, true_BFCHW.mean(dim=1, keepdim=True), to_mean)


def edge_distance(made_BCHW: Tensor, truth_BCHW: Tensor) -> Tensor:
    """How the differences between neighbouring pixels differ, and how their strength around each place does.

    An edge that may lie a pixel to either side costs least where it is blurred; its strength asks for it all the same.
    """
    distances = []
    for axis in (2, 3):
        made, truth = made_BCHW.diff(dim=axis), truth_BCHW.diff(dim=axis)
        distances.append((made - truth).abs().mean())
        strengths = [
            functional.avg_pool2d(edges.abs().mean(dim=1, keepdim=True), EDGE_REACH_PX) for edges in (made, truth)
        ]
        distances.append(STRENGTH_WEIGHT * (strengths[0] - strengths[1]).abs().mean())
    return torch.stack(distances).sum()


def _finest(films_BTCHW: Tensor) -> Tensor:
    """Mean strength of the finest edges, as the benchmark measures them."""
    grey_BTHW = films_BTCHW.clamp(-1, 1).mean(dim=2)
    return torch.stack([grey_BTHW.diff(n=2, dim=axis).abs().mean() for axis in (2, 3)]).sum()
