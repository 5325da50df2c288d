"""Trains the reader of hidden traits on drawn smiles, once, before any model that it will judge.

Run by `lpm evaluate train-trait-reader`. Single-threaded and bf16 on the CPU; a few minutes. Each picture shows another character, whose
hidden traits are drawn by lot, so that nothing else in a face tells of them.
"""

import logging
import time
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from training.actor.draw import draw_frame
from training.actor.keypoints import keypoints
from training.actor.state import EXPRESSIONS, channel
from training.bench.hidden_traits import HIDDEN_TRAITS, face_with
from training.bench.regressor import cut_crops
from training.bench.regressor_data import crop_places, random_states, spoil
from training.bench.regressor_training import rate_at
from training.bench.statistics import area_under_curve
from training.bench.trait_reader import TraitReader, TraitReaderConfig, read_traits

logger = logging.getLogger(__name__)

READER_IDENTITY_SEEDS: Final = 4_000_000
LEAST_HAPPINESS: Final = 0.55
CROP_MARGIN_PX: Final = 8  # kept around each crop, to be cut a little elsewhere each time


@dataclass(frozen=True, kw_only=True)
class TraitReaderRecipe:
    """One run: how much is drawn and how long it is looked at."""

    num_faces: int = 5000
    batch_faces: int = 64
    num_steps: int = 1200
    max_s: float = 900.0  # the schedule ends with the steps or with the time, whichever is first
    learning_rate: float = 3e-3
    warm_up: float = 0.1  # share of the schedule
    weight_decay: float = 0.05
    crop_jitter_px: float = 1.5  # standard deviation
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class SmileSet:
    """The lower faces of smiling characters with some margin, and their hidden traits."""

    crops_NHWC: NDArray[np.uint8]
    levels_NK: NDArray[np.float32]


def draw_smiles(num_faces: int, config: TraitReaderConfig, seed: int) -> SmileSet:
    """Draw a set; the same seed gives the same set, and sets of different seeds share no face."""
    generator = np.random.default_rng((seed, 0x7EE7))
    states_NK = smiling_states(num_faces, generator)
    levels_NK = generator.random((num_faces, len(HIDDEN_TRAITS))) < 0.5
    rows, columns = (side + 2 * CROP_MARGIN_PX for side in config.crop_px)
    crops_NHWC = np.empty((num_faces, rows, columns, 3), dtype=np.uint8)
    for index in range(num_faces):
        levels = tuple(bool(level) for level in levels_NK[index])
        identity = face_with(READER_IDENTITY_SEEDS + seed * 100_000 + index, levels)
        frame_HWC = spoil(draw_frame(identity, states_NK[index], config.picture_px), generator)
        mouth_2 = crop_places(keypoints(identity, states_NK[index]))[0]
        frame_1CHW = torch.from_numpy(frame_HWC).permute(2, 0, 1)[None]
        crop_CHW = cut_crops(frame_1CHW, torch.from_numpy(mouth_2)[None], (rows, columns))[0]
        crops_NHWC[index] = crop_CHW.permute(1, 2, 0).numpy()
    return SmileSet(crops_NHWC=crops_NHWC, levels_NK=levels_NK.astype(np.float32))


def smiling_states(num_frames: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Poses, looks and mouths of all sorts in happy faces, [num_frames, NUM_CHANNELS]."""
    states_NK = random_states(num_frames, generator)
    first = channel(f"expression_{EXPRESSIONS[0]}")
    happy_N = generator.uniform(LEAST_HAPPINESS, 1.0, num_frames)
    states_NK[:, first : first + len(EXPRESSIONS)] = 0.0
    states_NK[:, channel("expression_neutral")] = 1.0 - happy_N
    states_NK[:, channel("expression_happy")] = happy_N
    states_NK[:, channel("smile")] *= generator.random(num_frames) < 0.3
    return states_NK


def train_trait_reader(network: TraitReader, smiles: SmileSet, recipe: TraitReaderRecipe) -> None:
    """Train in place, to the end of the steps or of the time; the network is left ready to read."""
    torch.manual_seed(recipe.seed)
    generator = np.random.default_rng((recipe.seed, 11))
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    started_s, average = time.monotonic(), 0.7
    for step in range(recipe.num_steps):
        elapsed_s = time.monotonic() - started_s
        progress = max(step / recipe.num_steps, elapsed_s / recipe.max_s)
        if progress >= 1.0:
            break
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * rate_at(progress, recipe.warm_up)
        rows_B = generator.integers(0, len(smiles.crops_NHWC), recipe.batch_faces)
        pixels_BCHW = torch.from_numpy(shifted_crops(smiles.crops_NHWC[rows_B], recipe, generator))
        with torch.autocast("cpu", torch.bfloat16):
            logits_BK = network(pixels_BCHW)
        loss = functional.binary_cross_entropy_with_logits(logits_BK, torch.from_numpy(smiles.levels_NK[rows_B]))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        average = 0.97 * average + 0.03 * float(loss.detach())
        if step % 50 == 0:
            logger.info("step %d, %.0f %% of the schedule, %.0f s: loss %.4f", step, 100 * progress, elapsed_s, average)
    network.eval()


def shifted_crops(
    wide_BHWC: NDArray[np.uint8], recipe: TraitReaderRecipe, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Crops cut a little beside the mouth and as often mirrored as not, pixels in [-1, 1], [B, 3, H, W]."""
    shifts_B2 = np.clip(
        generator.normal(0.0, recipe.crop_jitter_px, (len(wide_BHWC), 2)).round(), -CROP_MARGIN_PX, CROP_MARGIN_PX
    ).astype(int)
    crops = []
    for wide_HWC, (down, right) in zip(wide_BHWC, shifts_B2 + CROP_MARGIN_PX, strict=True):
        height, width = (side - 2 * CROP_MARGIN_PX for side in wide_HWC.shape[:2])
        crop_HWC = wide_HWC[down : down + height, right : right + width]
        crops.append(crop_HWC[:, ::-1] if generator.random() < 0.5 else crop_HWC)
    pixels_BCHW: NDArray[np.float32] = np.stack(crops).transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1.0
    return pixels_BCHW


def reading_hits(network: TraitReader, smiles: SmileSet) -> dict[str, float]:
    """For each trait the area under its curve on single pictures never trained on."""
    margin = slice(CROP_MARGIN_PX, -CROP_MARGIN_PX)
    crops_NCHW = smiles.crops_NHWC[:, margin, margin].transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1.0
    evidence_NK = np.stack([read_traits(network, crop_CHW[None]) for crop_CHW in crops_NCHW])
    return {
        name: area_under_curve(evidence_NK[:, index], smiles.levels_NK[:, index] > 0.5)
        for index, name in enumerate(HIDDEN_TRAITS)
    }
