"""The painting network's task (`engine.posing.paint`): portraits at rest and states of the face in, paint over the moved face out.

The pose flow is there already and stays as it is: what it moves rightly needs no paint.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import cv2
import torch
from einops import rearrange
from torch import Tensor, nn

from engine.packs import fill_from_file, save_weights
from engine.posing.paint import Paint, painted
from engine.posing.portrait_look import coordinates
from engine.posing.pose_flow import PoseFlow
from engine.precision import fast_autocast
from training.data.painted_faces import PAINTED_CHANNELS, PaintedFaceSamples
from training.loader import first_samples, numbered_batches
from training.parallel import World
from training.tasks.codec import HELD_OUT_IDENTITY, to_psnr_db
from training.tasks.pose_flow import as_pixels, picture_distance
from training.tasks.retouch import EDGE_WEIGHT, edge_distance

SAMPLE_COLUMNS: Final = 10
CLOSED_SPREADS: Final = (
    4.0  # lids that are at least so far down, and mouths that are at least so far open, are measured apart
)
OPEN_SPREADS: Final = 1.5


@dataclass(kw_only=True)
class PaintTask:
    """Satisfies `training.trainer.Task`."""

    paint: Paint
    flow: PoseFlow
    samples: PaintedFaceSamples
    weights_file: str
    num_held_out: int = 48
    _held_out: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.paint.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.flow.requires_grad_(False)

    @property
    def model(self) -> nn.Module:
        """The network."""
        return self.paint

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """All that is not a look: layers over single places."""
        return ("keep", "hear", "tell", "mix", "show")

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """Portraits and their states from sample `first_sample` on."""
        return numbered_batches(self.samples, first_sample, batch_samples, world, num_workers)

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """How painted faces differ from the truth, from near and from afar, and how their edges do."""
        del generator
        _, made_BSCHW = self._made(batch)
        made_NCHW = made_BSCHW.flatten(0, 1)
        truth_NCHW = as_pixels(batch["truth_SHWC"].flatten(0, 1))
        seen = picture_distance(made_NCHW, truth_NCHW, batch["focus_SHW"].flatten(0, 1).float())
        edges = edge_distance(made_NCHW, truth_NCHW)
        return {"loss": seen + EDGE_WEIGHT * edges, "distance": seen.detach(), "edges": edges.detach()}

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """PSNR of mouths and eyes of characters that training never draws, painted and as the flow alone moves them; then of faces whose
        lids are down, and of those whose mouths are open."""
        batch = self.held_out()
        moved_BSCHW, made_BSCHW = self._made(batch)
        truth_BSCHW = rearrange(
            as_pixels(batch["truth_SHWC"].flatten(0, 1)), "(b s) c h w -> b s c h w", b=len(made_BSCHW)
        )
        focus_BSHW = batch["focus_SHW"]
        face_BSK = batch["face_SK"]
        chosen = {
            "": torch.ones_like(face_BSK[..., 0], dtype=torch.bool),
            "lids_down_": face_BSK[..., PAINTED_CHANNELS.index("blink")] > CLOSED_SPREADS,
            "mouths_open_": face_BSK[..., PAINTED_CHANNELS.index("mouth_open")] > OPEN_SPREADS,
        }
        measures = {}
        for name, pictures_BSCHW in (("moved", moved_BSCHW), ("held_out", made_BSCHW)):
            errors_BSHW = (pictures_BSCHW.clamp(-1, 1) - truth_BSCHW).square().mean(dim=2)
            for which, are_BS in chosen.items():
                in_focus_BSHW = focus_BSHW & are_BS[..., None, None]
                measures[f"{which}{name}_focus_psnr_db"] = to_psnr_db(errors_BSHW[in_focus_BSHW].mean())
        return measures

    @torch.no_grad()
    def write_samples(self, folder: Path, step: int) -> None:
        """Moved, painted, truth, one below the other."""
        batch = {name: tensor[:SAMPLE_COLUMNS] for name, tensor in self.held_out().items()}
        moved_BSCHW, made_BSCHW = (each[:, :2] for each in self._made(batch))
        truth_BCHW = as_pixels(batch["truth_SHWC"][:, :2].flatten(0, 1))
        rows = torch.stack([moved_BSCHW.flatten(0, 1), made_BSCHW.flatten(0, 1), truth_BCHW]).clamp(-1, 1)
        sheet = rearrange((rows + 1) * 127.5, "row b c h w -> (row h) (b w) c").byte().numpy()
        cv2.imwrite(str(folder / f"sample-{step:06d}.png"), sheet[:, :, ::-1])

    def export(self, folder: Path) -> None:
        """The network's weights in `folder`."""
        save_weights(folder / self.weights_file, self.paint)

    def start_from(self, folder: Path) -> None:
        """Another run's or a pack's network."""
        fill_from_file(folder / self.weights_file, self.paint)

    def held_out(self) -> dict[str, Tensor]:
        """Characters that training never draws, always the same."""
        if not self._held_out:
            make = replace(self.samples, first_identity=HELD_OUT_IDENTITY)
            self._held_out = first_samples(make, self.num_held_out)
        return self._held_out

    def _made(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Squares [B, S, 3, h, w] as the flow moves them, and painted."""
        rest_BCHW = as_pixels(batch["rest_HWC"])
        face_BSK = batch["face_SK"]
        with fast_autocast(rest_BCHW.device):
            kept_BCHW = self.paint(rest_BCHW)
        with torch.no_grad(), fast_autocast(rest_BCHW.device):
            fields_BNCHW = self.flow(rest_BCHW)
        terms_BSN = self.flow.terms(self._pose_of(face_BSK))
        with torch.no_grad():
            whole_BSCHW = self.flow.moved(rest_BCHW, fields_BNCHW, terms_BSN, "bicubic")
        side = batch["truth_SHWC"].shape[2]
        squares = [
            (place, slice(y, y + side), slice(x, x + side)) for place, (y, x) in enumerate(batch["corner_2"].tolist())
        ]
        xy_BHWC = rearrange(coordinates(rest_BCHW), "b c h w -> b h w c")
        xy_BP2 = torch.stack([xy_BHWC[square].flatten(0, 1) for square in squares])
        moved_BSCHW = torch.stack([whole_BSCHW[place, :, :, rows, columns] for place, rows, columns in squares])
        layer_BSPC = self.paint.at(self.paint.kept_at(kept_BCHW, xy_BP2), face_BSK)
        return moved_BSCHW, painted(moved_BSCHW, rearrange(layer_BSPC, "b s (h w) c -> b s c h w", h=side))

    def _pose_of(self, face_BSK: Tensor) -> Tensor:
        """Poses [B, S, P] of the flow whose faces show this, as far as it is not painted wholly; bodies are at rest."""
        config, painting = self.flow.config, self.paint.config
        frame_BSK = torch.zeros(*face_BSK.shape[:2], config.frame_width)
        frame_BSK[..., list(painting.face_columns)] = face_BSK
        frame_BSK[..., list(painting.hidden_columns)] = 0.0
        return frame_BSK[..., list(config.pose_columns)]
