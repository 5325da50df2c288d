"""The benchmark's second eye: a small network that tells hidden traits from the lower face of single frames.

Called by `reference_ablation` (inference) and `trait_reader_training`. It is trained on the actor's renders of other characters, shipped
with its hash, and knows nothing of packs. Where the mouth is, the regressor says.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save
from torch import Tensor, nn

from engine.errors import BadPackError
from engine.packs import build_config
from training.bench.hidden_traits import HIDDEN_TRAITS
from training.bench.reading import BATCH_FRAMES, pixels_of, resized
from training.bench.regressor import LoadedRegressor, Tower, cut_crops, fine_head

WEIGHTS_NAME: Final = "trait_reader.safetensors"
CONFIG_NAME: Final = "trait_reader.json"
LEAST_AUC: Final = 0.8
DEFAULT_FOLDER: Final = Path(__file__).parents[2] / "assets" / "models" / "bench-trait-reader"


@dataclass(frozen=True, kw_only=True)
class TraitReaderConfig:
    """Sizes of the network; the crop is (height, width) in pixels of a picture of `picture_px`."""

    picture_px: int = 192
    crop_px: tuple[int, int] = (56, 112)
    widths: tuple[int, ...] = (24, 48, 64)
    squeezed_width: int = 16
    hidden_width: int = 64

    def __post_init__(self) -> None:
        if max(self.crop_px) > self.picture_px:
            raise ValueError("the crop cannot be larger than the picture")


class TraitReader(nn.Module):
    """Crops around the mouth to one logit a trait: above zero where it is seen."""

    def __init__(self, config: TraitReaderConfig) -> None:
        super().__init__()
        self.config = config
        self.tower = Tower(config.crop_px, config.widths, config.squeezed_width, config.hidden_width)
        self.traits = fine_head(config.hidden_width, len(HIDDEN_TRAITS))

    def forward(self, crops_BCHW: Tensor) -> Tensor:
        """Pixels in [-1, 1], [B, 3, *crop_px], to logits [B, 4] in the order of `HIDDEN_TRAITS`."""
        logits_BK: Tensor = self.traits(self.tower(crops_BCHW)).float()
        return logits_BK


@dataclass(frozen=True, kw_only=True)
class LoadedTraitReader:
    """The network ready to read, the sha256 of its weights for the report, and how well it tells each trait.

    `auc` is the area under the curve on single drawn pictures that it never saw; a trait below `LEAST_AUC` is not judged by it.
    """

    network: TraitReader
    sha256: str
    auc: dict[str, float]

    @property
    def readable(self) -> tuple[str, ...]:
        """The traits that may be judged by this reader."""
        return tuple(name for name in HIDDEN_TRAITS if self.auc[name] >= LEAST_AUC)


def mouth_crops(
    regressor: LoadedRegressor, frames_THWC: NDArray[np.uint8], config: TraitReaderConfig
) -> NDArray[np.float32]:
    """The lower face of each frame, where the regressor finds the mouth: pixels in [-1, 1], [T, 3, *crop_px]."""
    size_px = config.picture_px
    if frames_THWC.shape[1:3] != (size_px, size_px):
        frames_THWC = np.stack([resized(frame_HWC, size_px) for frame_HWC in frames_THWC])
    crops = []
    for start in range(0, len(frames_THWC), BATCH_FRAMES):
        pixels_BCHW = pixels_of(frames_THWC[start : start + BATCH_FRAMES])
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            places_B22 = regressor.network(pixels_BCHW).places_B22
        crops.append(cut_crops(pixels_BCHW, places_B22[:, 0], config.crop_px).numpy())
    crops_TCHW: NDArray[np.float32] = np.concatenate(crops)
    return crops_TCHW


def read_traits(network: TraitReader, crops_TCHW: NDArray[np.float32]) -> NDArray[np.float32]:
    """One film's evidence for each trait: the mean logit over its frames, [4]. Frames that show nothing say nothing."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        logits_TK = network(torch.from_numpy(crops_TCHW))
    evidence_K: NDArray[np.float32] = logits_TK.mean(dim=0).numpy()
    return evidence_K


def save_trait_reader(network: TraitReader, folder: Path, auc: dict[str, float]) -> str:
    """Write weights in float16 and the config beside them; returns the sha256 of the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in network.state_dict().items()
    }
    weights = save(halves)
    (folder / WEIGHTS_NAME).write_bytes(weights)
    sha256 = hashlib.sha256(weights).hexdigest()
    description = {"config": asdict(network.config), "sha256": sha256, "auc": auc}
    (folder / CONFIG_NAME).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    return sha256


def load_trait_reader(folder: Path = DEFAULT_FOLDER) -> LoadedTraitReader:
    """Read and verify the shipped reader; `BadPackError` if it is missing, changed or reads something else."""
    try:
        description = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
        weights = (folder / WEIGHTS_NAME).read_bytes()
    except (OSError, ValueError) as error:
        raise BadPackError(
            f"the benchmark's trait reader in {folder} cannot be read ({error}); make it with lpm evaluate train-trait-reader"
        ) from error
    sha256 = hashlib.sha256(weights).hexdigest()
    if sha256 != description.get("sha256") or set(description.get("auc", {})) != set(HIDDEN_TRAITS):
        raise BadPackError(
            f"the benchmark's trait reader in {folder} is not the one that {CONFIG_NAME} describes, or reads other traits than "
            "this release; make it with lpm evaluate train-trait-reader"
        )
    network = TraitReader(build_config(TraitReaderConfig, description["config"], f"{folder / CONFIG_NAME}: config"))
    network.load_state_dict(
        {name: value.float() if value.is_floating_point() else value for name, value in load(weights).items()}
    )
    network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return LoadedTraitReader(network=network, sha256=sha256, auc=dict(description["auc"]))
