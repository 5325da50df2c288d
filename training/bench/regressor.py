"""The benchmark's eye: a small network that reads mouth, pose, gaze, blink, expression and identity from single frames.

Called by `reading` (inference) and `regressor_training`. It is trained on the actor's renders before any model that it judges,
shipped with its hash, and knows nothing of packs, sound or cases. A coarse trunk looks at the whole picture and finds mouth and
eyes; two fine branches look at crops around them at full resolution, since a lip gap is two or three pixels.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NamedTuple

import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import BadPackError
from engine.packs import build_config
from training.actor.state import EXPRESSIONS

READ_CHANNELS: Final = (
    "mouth_open",
    "mouth_width",
    "smile",
    "yaw",
    "pitch",
    "roll",
    "gaze_x",
    "gaze_y",
    "blink",
)
MOUTH_READINGS: Final = ("mouth_open", "mouth_width", "smile")
POSE_READINGS: Final = ("yaw", "pitch", "roll")
EYE_READINGS: Final = ("gaze_x", "gaze_y", "blink")
WEIGHTS_NAME: Final = "regressor.safetensors"
CONFIG_NAME: Final = "regressor.json"
DEFAULT_FOLDER: Final = Path(__file__).parents[2] / "assets" / "models" / "bench-regressor"


@dataclass(frozen=True, kw_only=True)
class RegressorConfig:
    """Sizes of the network; crops are (height, width) in pixels of the full picture."""

    picture_px: int = 192
    trunk_px: int = 96
    mouth_crop_px: tuple[int, int] = (56, 72)
    eye_crop_px: tuple[int, int] = (48, 96)
    trunk_widths: tuple[int, ...] = (24, 48, 96, 128)
    branch_widths: tuple[int, ...] = (24, 48, 64)
    squeezed_width: int = 16
    hidden_width: int = 192
    identity_width: int = 48
    identity_truth_width: int = 1

    def __post_init__(self) -> None:
        if self.picture_px % self.trunk_px:
            raise ValueError(f"picture_px {self.picture_px} must be a multiple of trunk_px {self.trunk_px}")
        if max(*self.mouth_crop_px, *self.eye_crop_px) > self.picture_px:
            raise ValueError("a crop cannot be larger than the picture")


class Prediction(NamedTuple):
    """One batch read: `places_B22` holds mouth centre and mid-eye point as (x, y) in 0..1."""

    readings_BK: Tensor
    places_B22: Tensor
    expression_logits_BE: Tensor
    identity_BD: Tensor
    identity_truth_BV: Tensor


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Same shape in and out."""
        hidden_BCHW = functional.relu(self.first_norm(self.first(x_BCHW)))
        return functional.relu(x_BCHW + self.second_norm(self.second(hidden_BCHW)))


class Tower(nn.Module):
    """Halves the picture once per width, then flattens it into one feature row."""

    def __init__(self, size_px: tuple[int, int], widths: tuple[int, ...], width_squeezed: int, width_out: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels_in = 3
        for width in widths:
            layers += [
                nn.Conv2d(channels_in, width, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            if channels_in > 3:  # the largest grid is left with its one convolution, it would cost the most
                layers.append(ResidualBlock(width))
            channels_in = width
        self.convolutions = nn.Sequential(*layers)
        self.squeeze = nn.Conv2d(channels_in, width_squeezed, 1)
        rows, columns = (-(-side // 2 ** len(widths)) for side in size_px)
        self.project = nn.Linear(width_squeezed * rows * columns, width_out)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] to features [B, width_out]."""
        squeezed_BCHW = functional.relu(self.squeeze(self.convolutions(x_BCHW)))
        return functional.relu(self.project(squeezed_BCHW.flatten(1)))


class BenchRegressor(nn.Module):
    """Frames to `Prediction`. `forward` finds its own crops; training may say where they are."""

    def __init__(self, config: RegressorConfig) -> None:
        super().__init__()
        self.config = config
        width, squeezed = config.hidden_width, config.squeezed_width
        self.trunk = Tower((config.trunk_px, config.trunk_px), config.trunk_widths, squeezed, width)
        self.mouth_tower = Tower(config.mouth_crop_px, config.branch_widths, squeezed, width // 2)
        self.eye_tower = Tower(config.eye_crop_px, config.branch_widths, squeezed, width // 2)
        self.places = nn.Linear(width, 4)
        self.pose = nn.Linear(width, len(POSE_READINGS))
        self.mouth = fine_head(width + width // 2, len(MOUTH_READINGS))
        self.eyes = fine_head(width + width // 2, len(EYE_READINGS))
        self.expression = fine_head(2 * width, len(EXPRESSIONS))
        self.identity = fine_head(2 * width, config.identity_width)
        self.identity_truth = nn.Linear(config.identity_width, config.identity_truth_width)

    def forward(self, pixels_BCHW: Tensor, places_B22: Tensor | None = None) -> Prediction:
        """Pixels in [-1, 1]; `places_B22` overrides where the crops are cut (training's jittered truth)."""
        config = self.config
        if pixels_BCHW.shape[1:] != (3, config.picture_px, config.picture_px):
            raise ValueError(f"expected frames of {config.picture_px} px, got {tuple(pixels_BCHW.shape)}")
        small_BCHW = functional.avg_pool2d(pixels_BCHW, config.picture_px // config.trunk_px)
        whole_BD = self.trunk(small_BCHW)
        found_B22 = self.places(whole_BD).float().view(-1, 2, 2) + 0.5
        cut_at_B22 = (found_B22 if places_B22 is None else places_B22).detach()
        mouth_BD = self.mouth_tower(cut_crops(pixels_BCHW, cut_at_B22[:, 0], config.mouth_crop_px))
        eyes_BD = self.eye_tower(cut_crops(pixels_BCHW, cut_at_B22[:, 1], config.eye_crop_px))
        everything_BD = torch.cat([whole_BD, mouth_BD, eyes_BD], dim=1)
        identity_BD = self.identity(everything_BD).float()
        return Prediction(
            readings_BK=torch.cat(
                [
                    self.mouth(torch.cat([whole_BD, mouth_BD], dim=1)),
                    self.pose(whole_BD),
                    self.eyes(torch.cat([whole_BD, eyes_BD], dim=1)),
                ],
                dim=1,
            ).float(),
            places_B22=found_B22,
            expression_logits_BE=self.expression(everything_BD).float(),
            identity_BD=functional.normalize(identity_BD, dim=1),
            identity_truth_BV=self.identity_truth(identity_BD),
        )


def fine_head(width_in: int, width_out: int) -> nn.Sequential:
    """One hidden layer, then the figures."""
    return nn.Sequential(nn.Linear(width_in, 96), nn.ReLU(), nn.Linear(96, width_out))


def cut_crops(pixels_BCHW: Tensor, centres_B2: Tensor, crop_px: tuple[int, int]) -> Tensor:
    """Windows of whole pixels around (x, y) centres in 0..1, pushed inside the picture: [B, 3, *crop_px]."""
    batch, _, height, width = pixels_BCHW.shape
    rows, columns = crop_px
    left_B = (centres_B2[:, 0] * width - columns / 2).round().long().clamp(0, width - columns)
    top_B = (centres_B2[:, 1] * height - rows / 2).round().long().clamp(0, height - rows)
    row_index_BH = top_B[:, None] + torch.arange(rows, device=pixels_BCHW.device)
    column_index_BW = left_B[:, None] + torch.arange(columns, device=pixels_BCHW.device)
    picked = torch.arange(batch, device=pixels_BCHW.device)[:, None, None]
    crops_BHWC = pixels_BCHW.permute(0, 2, 3, 1)[picked, row_index_BH[:, :, None], column_index_BW[:, None, :]]
    return crops_BHWC.permute(0, 3, 1, 2)


@dataclass(frozen=True, kw_only=True)
class LoadedRegressor:
    """The network ready to read, and the sha256 of its weights for the report."""

    network: BenchRegressor
    sha256: str


def save_regressor(network: BenchRegressor, folder: Path, notes: dict[str, str]) -> str:
    """Write weights in float16 and the config beside them; returns the sha256 of the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in network.state_dict().items()
    }
    weights = save(halves)
    (folder / WEIGHTS_NAME).write_bytes(weights)
    sha256 = hashlib.sha256(weights).hexdigest()
    description = {"config": asdict(network.config), "sha256": sha256, "readings": READ_CHANNELS, "notes": notes}
    (folder / CONFIG_NAME).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    return sha256


def load_regressor(folder: Path = DEFAULT_FOLDER) -> LoadedRegressor:
    """Read and verify the shipped regressor; `BadPackError` if it is missing, changed or of another shape."""
    try:
        description = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
        weights = (folder / WEIGHTS_NAME).read_bytes()
    except (OSError, ValueError) as error:
        raise BadPackError(f"the benchmark's regressor in {folder} cannot be read: {error}") from error
    sha256 = hashlib.sha256(weights).hexdigest()
    if sha256 != description["sha256"]:
        raise BadPackError(
            f"the benchmark's regressor in {folder} was changed: its hash is not the one in {CONFIG_NAME}"
        )
    if tuple(description["readings"]) != READ_CHANNELS:
        raise BadPackError(
            f"the benchmark's regressor in {folder} reads other channels than this release; train it anew"
        )
    config = build_config(RegressorConfig, description["config"], f"{folder / CONFIG_NAME}: config")
    network = BenchRegressor(config)
    network.load_state_dict(
        {name: value.float() if value.is_floating_point() else value for name, value in load(weights).items()}
    )
    network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return LoadedRegressor(network=network, sha256=sha256)
