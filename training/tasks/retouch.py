"""The retouching network's task (`engine.posing.retouch`): decoded pictures and the moved anchor in, sharper pictures out.

It learns from squares of cuts (`training.data.retouch_cuts`), most of them around mouth and eyes: these are what it has to draw, the
rest of a picture is soon learned.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from engine.packs import fill_from_file, save_weights
from engine.posing.retouch import Retouch
from engine.precision import fast_autocast
from training.data.retouch_cuts import CroppedCuts, whole_cuts
from training.loader import numbered_batches
from training.parallel import World
from training.tasks.codec import to_psnr_db
from training.tasks.pose_flow import picture_distance

SIDE_PX: Final = 96
EDGE_WEIGHT: Final = 1.0
EDGE_REACH_PX: Final = 4
STRENGTH_WEIGHT: Final = 2.0
SAMPLE_COLUMNS: Final = 8
SHOWN_FRAME: Final = 5
MOST_HELD_OUT: Final = 48  # cuts of each kind


@dataclass(kw_only=True)
class RetouchTask:
    """Satisfies `training.trainer.Task`; `learned` and `kept_back` are files of cuts, to learn from and to be measured on."""

    retouch: Retouch
    learned: tuple[Path, ...]
    kept_back: tuple[Path, ...]
    weights_file: str
    side_px: int = SIDE_PX
    _held_out: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.retouch.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def model(self) -> nn.Module:
        """The network."""
        return self.retouch

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """The last layers, which begin at nothing, and those of what is told."""
        return ("share", "touch", "hear", "tell")

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """Squares of cuts from sample `first_sample` on."""
        squares = CroppedCuts(paths=self.learned, side_px=self.side_px, step_px=self.retouch.config.cell_px)
        return numbered_batches(squares, first_sample, batch_samples, world, num_workers)

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """How the retouched pictures differ from the truth, from near and from afar, and how their edges do."""
        del generator
        made_BCHW, truth_BCHW = self._retouched(batch).flatten(0, 1), batch["truth_TCHW"].flatten(0, 1)
        seen = picture_distance(made_BCHW, truth_BCHW, batch["focus_THW"].flatten(0, 1))
        edges = edge_distance(made_BCHW, truth_BCHW)
        return {"loss": seen + EDGE_WEIGHT * edges, "distance": seen.detach(), "edges": edges.detach()}

    def measure(self) -> dict[str, float]:
        """PSNR and finest edges of cuts that training never sees: retouched, as they were decoded, and of the moved anchor alone.

        First of those that a pack drew, then, named so, of random ones that were encoded from the truth.
        """
        return self._measured("", self.held_out("drawn")) | self._measured("random_", self.held_out("random"))

    def write_samples(self, folder: Path, step: int) -> None:
        """The moved anchor, decoded, retouched, truth, one below the other."""
        batch = {name: tensor[:SAMPLE_COLUMNS] for name, tensor in self.held_out("drawn").items()}
        with fast_autocast(batch["decoded_TCHW"].device):
            made_BTCHW = self._retouched(batch)
        shown = (batch["moved_TCHW"], batch["decoded_TCHW"], made_BTCHW, batch["truth_TCHW"])
        rows = torch.stack(shown)[:, :, SHOWN_FRAME].float().clamp(-1, 1)
        sheet = rearrange((rows + 1) * 127.5, "row b c h w -> (row h) (b w) c").byte().numpy()
        cv2.imwrite(str(folder / f"sample-{step:06d}.png"), sheet[:, :, ::-1])

    def export(self, folder: Path) -> None:
        """The network's weights in `folder`."""
        save_weights(folder / self.weights_file, self.retouch)

    def start_from(self, folder: Path) -> None:
        """Another run's or a pack's network."""
        fill_from_file(folder / self.weights_file, self.retouch)

    def held_out(self, kind: str) -> dict[str, Tensor]:
        """Cuts that training never sees, whole, "drawn" by a pack or "random"; always the same."""
        if kind not in self._held_out:
            cuts = whole_cuts(self.kept_back, are_drawn=kind == "drawn")
            self._held_out[kind] = {name: tensor[:MOST_HELD_OUT] for name, tensor in cuts.items()}
        return self._held_out[kind]

    def _retouched(self, batch: dict[str, Tensor]) -> Tensor:
        """Pictures [B, T, 3, H, W] as the network leaves them."""
        retouched_BTCHW: Tensor = self.retouch(batch["decoded_TCHW"], batch["moved_TCHW"], batch["from_rest_FM"])
        return retouched_BTCHW

    @torch.no_grad()
    def _measured(self, kind: str, batch: dict[str, Tensor]) -> dict[str, float]:
        with fast_autocast(batch["decoded_TCHW"].device):
            made_BTCHW = self._retouched(batch)
        truth_BTCHW, in_focus_BTHW = batch["truth_TCHW"], batch["focus_THW"] > 0
        named = (("held_out", made_BTCHW), ("decoded", batch["decoded_TCHW"]), ("moved", batch["moved_TCHW"]))
        measures: dict[str, float] = {}
        for name, films in named:
            error_BTHW = (films.float().clamp(-1, 1) - truth_BTCHW).square().mean(dim=2)
            measures[f"{kind}{name}_psnr_db"] = to_psnr_db(error_BTHW.mean())
            measures[f"{kind}{name}_focus_psnr_db"] = to_psnr_db(error_BTHW[in_focus_BTHW].mean())
            measures[f"{kind}{name}_edges"] = float(_finest(films.float()) / _finest(truth_BTCHW))
        return measures


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
