"""The painting network's task (`engine.posing.paint`): portraits at rest and states of the face in, paint over the moved face out.

The pose flow is there already and stays as it is: what it moves rightly needs no paint.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from engine.posing.paint import Paint, painted
from engine.posing.portrait_look import coordinates
from engine.posing.pose_flow import PoseFlow, flow_of, sampled
from engine.posing.poser import with_drags
from engine.precision import fast_autocast
from training.data.painted_faces import PAINTED_CHANNELS, PaintedFaceSamples
from training.tasks.codec import to_psnr_db
from training.tasks.portrait_task import PortraitTask
from training.tasks.pose_flow import SMOOTHNESS, as_pixels, picture_distance, roughness
from training.tasks.retouch import EDGE_WEIGHT, edge_distance

SAMPLE_COLUMNS: Final = 10
CLOSED_SPREADS: Final = (
    4.0  # lids that are at least so far down, and mouths that are at least so far open, are measured apart
)
OPEN_SPREADS: Final = 1.5


@dataclass(frozen=True, kw_only=True)
class Faces:
    """Squares [B, S, 3, h, w] as they are moved, and painted; and the fields [B, N, 2, g, g] by which pixels under paint are dragged."""

    moved_BSCHW: Tensor
    painted_BSCHW: Tensor
    drags_BNCHW: Tensor


@dataclass(kw_only=True)
class PaintTask(PortraitTask[PaintedFaceSamples]):
    """Satisfies `training.trainer.Task`."""

    paint: Paint
    flow: PoseFlow
    num_held_out: int = 48

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
        return ("keep", "drag", "hear", "tell", "mix", "show")

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """How painted faces differ from the truth, from near and from afar, and how their edges do."""
        del generator
        faces = self._made(batch)
        made_NCHW = faces.painted_BSCHW.flatten(0, 1)
        truth_NCHW = as_pixels(batch["truth_SHWC"].flatten(0, 1))
        seen = picture_distance(made_NCHW, truth_NCHW, batch["focus_SHW"].flatten(0, 1).float())
        edges = edge_distance(made_NCHW, truth_NCHW)
        loss = seen + EDGE_WEIGHT * edges + SMOOTHNESS * roughness(faces.drags_BNCHW)
        return {"loss": loss, "distance": seen.detach(), "edges": edges.detach()}

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """PSNR of mouths and eyes of characters that training never draws, painted and as the flow alone moves them; then of faces whose
        lids are down, and of those whose mouths are open. The actor's own first, then strangers."""
        own, strangers = (self._measured(self.held_out(stranger_share=share)) for share in (0.0, 1.0))
        return own | {f"strangers_{name}": db for name, db in strangers.items()}

    def _measured(self, batch: dict[str, Tensor]) -> dict[str, float]:
        faces = self._made(batch)
        truth_BSCHW = rearrange(
            as_pixels(batch["truth_SHWC"].flatten(0, 1)), "(b s) c h w -> b s c h w", b=len(faces.painted_BSCHW)
        )
        focus_BSHW = batch["focus_SHW"]
        face_BSK = batch["face_SK"]
        chosen = {
            "": torch.ones_like(face_BSK[..., 0], dtype=torch.bool),
            "lids_down_": face_BSK[..., PAINTED_CHANNELS.index("blink")] > CLOSED_SPREADS,
            "mouths_open_": face_BSK[..., PAINTED_CHANNELS.index("mouth_open")] > OPEN_SPREADS,
        }
        measures = {}
        for name, pictures_BSCHW in (("moved", faces.moved_BSCHW), ("held_out", faces.painted_BSCHW)):
            errors_BSHW = (pictures_BSCHW.clamp(-1, 1) - truth_BSCHW).square().mean(dim=2)
            for which, are_BS in chosen.items():
                in_focus_BSHW = focus_BSHW & are_BS[..., None, None]
                measures[f"{which}{name}_focus_psnr_db"] = to_psnr_db(errors_BSHW[in_focus_BSHW].mean())
        return measures

    @torch.no_grad()
    def write_samples(self, folder: Path, step: int) -> None:
        """Moved, painted, truth, one below the other."""
        batch = {name: tensor[:SAMPLE_COLUMNS] for name, tensor in self.held_out().items()}
        faces = self._made(batch)
        moved_BSCHW, made_BSCHW = faces.moved_BSCHW[:, :2], faces.painted_BSCHW[:, :2]
        truth_BCHW = as_pixels(batch["truth_SHWC"][:, :2].flatten(0, 1))
        rows = torch.stack([moved_BSCHW.flatten(0, 1), made_BSCHW.flatten(0, 1), truth_BCHW]).clamp(-1, 1)
        sheet = rearrange((rows + 1) * 127.5, "row b c h w -> (row h) (b w) c").byte().numpy()
        cv2.imwrite(str(folder / f"sample-{step:06d}.png"), sheet[:, :, ::-1])

    def _made(self, batch: dict[str, Tensor]) -> "Faces":
        rest_BCHW = as_pixels(batch["rest_HWC"])
        face_BSK = batch["face_SK"]
        with fast_autocast(rest_BCHW.device):
            seen = self.paint(rest_BCHW)
        with torch.no_grad(), fast_autocast(rest_BCHW.device):
            flow_BNCHW = self.flow(rest_BCHW)
        num_body = self.flow.config.num_body_terms
        fields_BNCHW = with_drags(flow_BNCHW[:, num_body:], seen.drags_BNCHW)
        flow_terms_BSN = self.flow.terms(self._pose_of(face_BSK))[..., num_body:]
        terms_BSN = torch.cat([flow_terms_BSN, self.paint.drag_terms(face_BSK)], dim=-1)
        xy_BHW2 = self._squares(batch)
        moved_BSCHW = _moved(rest_BCHW, fields_BNCHW, terms_BSN, xy_BHW2)
        layer_BSPC = self.paint.at(self.paint.kept_at(seen.kept_BCHW, xy_BHW2.flatten(1, 2)), face_BSK)
        painted_BSCHW = painted(moved_BSCHW, rearrange(layer_BSPC, "b s (h w) c -> b s c h w", h=xy_BHW2.shape[1]))
        return Faces(moved_BSCHW=moved_BSCHW, painted_BSCHW=painted_BSCHW, drags_BNCHW=seen.drags_BNCHW)

    def _squares(self, batch: dict[str, Tensor]) -> Tensor:
        """Where the pixels of each portrait's square are, [B, h, w, 2] from -1 to 1."""
        xy_BHW2 = rearrange(coordinates(as_pixels(batch["rest_HWC"])), "b xy h w -> b h w xy")
        spacing = self.samples.spacing_px
        reach = batch["truth_SHWC"].shape[2] * spacing
        corners = batch["corner_2"].tolist()
        return torch.stack(
            [xy_BHW2[place, y : y + reach : spacing, x : x + reach : spacing] for place, (y, x) in enumerate(corners)]
        )

    def _pose_of(self, face_BSK: Tensor) -> Tensor:
        """Poses [B, S, P] of the flow whose faces show this, as far as it is not painted wholly; bodies are at rest."""
        config, painting = self.flow.config, self.paint.config
        frame_BSK = torch.zeros(*face_BSK.shape[:2], config.frame_width)
        frame_BSK[..., list(painting.face_columns)] = face_BSK
        frame_BSK[..., list(painting.hidden_columns)] = 0.0
        return frame_BSK[..., list(config.pose_columns)]


def _moved(rest_BCHW: Tensor, fields_BNCHW: Tensor, terms_BSN: Tensor, xy_BHW2: Tensor) -> Tensor:
    """Squares [B, S, C, h, w] of portraits whose faces go along these fields; their bodies are at rest."""
    flow_NCHW = flow_of(fields_BNCHW.float(), terms_BSN.float())
    xy_NHW2 = xy_BHW2.repeat_interleave(terms_BSN.shape[1], dim=0)
    face_NCHW = functional.grid_sample(flow_NCHW, xy_NHW2, padding_mode="border", align_corners=False)
    return sampled(rest_BCHW, xy_NHW2 + rearrange(face_NCHW, "n xy h w -> n h w xy"), "bicubic")
