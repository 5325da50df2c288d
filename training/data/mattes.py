"""Numbered samples for what takes portraits apart (`engine.posing.matte`): a random character before a random backdrop, and its matte.

Other hands draw other walls, colours and sizes than the actor does: backdrops are borrowed, plain, striped, full of furniture or noise,
characters are recoloured, patterned, moved and turned round. Called by the matting network's task, in worker processes.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.actor.draw import draw_frame, draw_matte
from training.actor.drawing.background import draw_background
from training.actor.drawing.canvas import Picture, sheet_size
from training.actor.identity import Identity, sample_identity
from training.actor.references import draw_view, draw_view_matte, expression_state
from training.actor.state import EXPRESSIONS, VIEWS, channel
from training.actor.strangers import sample_stranger
from training.data.portraits import SEED_STRIDE
from training.data.posed_pairs import POSE_CHANNELS, random_pose

Levels = NDArray[np.float32]  # of 0..255

TURNED: Final = 0.3  # of samples: from the side or from behind
STRANGERS: Final = 0.3
OWN_SHARE: Final = 0.35  # of samples, seen as they are drawn
RECOLOURED: Final = 0.6  # of the others
PATTERNED: Final = 0.3
MOVED: Final = 0.6
POSED: Final = 0.3
BLURRED: Final = 0.3
SCALES: Final = (0.65, 1.35)
FARTHEST: Final = 0.12  # of a picture's side
MOST_NOISE: Final = 6.0  # levels
MOST_SHAPES: Final = 9


@dataclass(frozen=True, kw_only=True)
class MatteSamples:
    """Makes sample i: `picture_HWC` uint8 and `matte_HW` float32 from 0 to 1, at `size_px`."""

    size_px: int
    first_identity: int = 0
    own_share: float = OWN_SHARE
    turned_share: float = TURNED
    stranger_share: float = STRANGERS

    def __call__(self, number: int) -> dict[str, Tensor]:
        """A pure function of the sample's number."""
        cv2.setNumThreads(1)
        rng = np.random.default_rng([self.first_identity, number, 7])
        sample = sample_stranger if rng.random() < self.stranger_share else sample_identity
        identity = sample(self.first_identity + number * SEED_STRIDE % 999_983)
        if rng.random() < self.turned_share:
            view = VIEWS[int(rng.integers(1, len(VIEWS)))]
            picture_HWC = draw_view(identity, view, self.size_px)
            matte_HW = draw_view_matte(identity, view, self.size_px)
        else:
            picture_HWC, matte_HW = self._from_the_front(identity, rng)
        if rng.random() >= self.own_share:
            picture_HWC, matte_HW = by_another_hand(picture_HWC.astype(np.float32), matte_HW, identity, rng)
        return {"picture_HWC": torch.from_numpy(picture_HWC), "matte_HW": torch.from_numpy(matte_HW)}

    def _from_the_front(self, identity: Identity, rng: np.random.Generator) -> tuple[Picture, Levels]:
        state_K = expression_state(EXPRESSIONS[int(rng.integers(len(EXPRESSIONS)))])
        if rng.random() < POSED:
            state_K[[channel(each) for each in POSE_CHANNELS]] = random_pose(rng)
        return draw_frame(identity, state_K, self.size_px), draw_matte(identity, state_K, self.size_px)


def by_another_hand(
    picture_HWC: Levels, matte_HW: Levels, identity: Identity, rng: np.random.Generator
) -> tuple[Picture, Levels]:
    """The character in other colours, elsewhere and before something else."""
    size_px = len(matte_HW)
    before_HWC = (picture_HWC - (1.0 - matte_HW[..., None]) * wall_of(identity, size_px)).clip(0.0, 255.0)
    if rng.random() < RECOLOURED:
        before_HWC = recoloured(before_HWC, matte_HW, rng)
    if rng.random() < PATTERNED:
        pattern_HW1 = random_backdrop(size_px, rng).mean(axis=-1, keepdims=True) / 255.0
        before_HWC = before_HWC * (1.0 - rng.uniform(0.1, 0.4) * pattern_HW1)
    if rng.random() < MOVED:
        before_HWC, matte_HW = moved(before_HWC, matte_HW, rng)
    film_HWC = before_HWC + (1.0 - matte_HW[..., None]) * random_backdrop(size_px, rng)
    if rng.random() < BLURRED:
        film_HWC = cv2.GaussianBlur(film_HWC, (0, 0), rng.uniform(0.4, 1.2))
    film_HWC = film_HWC + rng.normal(0.0, rng.uniform(0.0, MOST_NOISE), film_HWC.shape)
    return film_HWC.round().clip(0, 255).astype(np.uint8), np.ascontiguousarray(matte_HW, dtype=np.float32)


def recoloured(before_HWC: Levels, matte_HW: Levels, rng: np.random.Generator) -> Levels:
    """Colours times the matte [H, W, 3], with other hues and other light."""
    mixed_33 = np.eye(3)[rng.permutation(3)] if rng.random() < 0.5 else np.eye(3)
    mixed_33 = 0.75 * mixed_33 + 0.25 * rng.dirichlet(np.ones(3), size=3)
    power, gain_3 = np.exp(rng.uniform(-0.5, 0.5)), rng.uniform(0.75, 1.25, 3)
    pure_HWC = before_HWC / np.maximum(matte_HW[..., None], 1e-3)
    toned_HWC = 255.0 * (pure_HWC.clip(0.0, 255.0) / 255.0) ** power @ mixed_33.T * gain_3
    return np.asarray(toned_HWC.clip(0.0, 255.0) * matte_HW[..., None], dtype=np.float32)


def moved(before_HWC: Levels, matte_HW: Levels, rng: np.random.Generator) -> tuple[Levels, Levels]:
    """Larger or smaller, elsewhere, perhaps in the mirror; bodies still go on below the picture."""
    size_px, scale = len(matte_HW), rng.uniform(*SCALES)
    x_px, y_px = rng.uniform(-FARTHEST, FARTHEST, 2) * size_px
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    lowest_px = size_px * (1.0 - scale)  # where the bottom edge stays the bottom edge
    placed_23 = np.array(
        [
            [mirror * scale, 0.0, size_px / 2 * (1.0 - mirror * scale) + x_px],
            [0.0, scale, max(y_px + lowest_px / 2, lowest_px)],
        ]
    )
    size = (size_px, size_px)
    return (
        np.asarray(cv2.warpAffine(before_HWC, placed_23, size, flags=cv2.INTER_LINEAR), dtype=np.float32),
        np.asarray(cv2.warpAffine(matte_HW, placed_23, size, flags=cv2.INTER_LINEAR), dtype=np.float32),
    )


def random_backdrop(size_px: int, rng: np.random.Generator) -> Levels:
    """A wall, float32 [size, size, 3] in levels."""
    kind = rng.choice(["another's", "plain", "clouds", "shapes", "stripes"], p=[0.3, 0.15, 0.2, 0.25, 0.1])
    if kind == "another's":
        return wall_of(sample_identity(int(rng.integers(1_000_000))), size_px)
    wall_HWC = np.empty((size_px, size_px, 3), np.float32)
    wall_HWC[:] = rng.uniform(0, 255, 3)
    if kind == "clouds":
        grain = int(rng.choice([2, 4, 8, 24, 64]))
        clouds_HWC = rng.uniform(0, 255, (grain, grain, 3)).astype(np.float32)
        larger_HWC = cv2.resize(clouds_HWC, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
        wall_HWC += rng.uniform(0.1, 1.0) * (larger_HWC - wall_HWC)
    elif kind == "stripes":
        angle, width_px = rng.uniform(0.0, np.pi), rng.uniform(4.0, size_px / 4)
        y_HW, x_HW = np.mgrid[:size_px, :size_px]
        is_on_HW = np.sin((np.cos(angle) * x_HW + np.sin(angle) * y_HW) * np.pi / width_px) > 0
        wall_HWC[is_on_HW] = rng.uniform(0, 255, 3)
    elif kind == "shapes":
        _with_shapes(wall_HWC, rng)
    return wall_HWC.clip(0.0, 255.0)


def wall_of(identity: Identity, size_px: int) -> Levels:
    """What the actor draws behind a character, float32 [size, size, 3] in levels."""
    sheet_HWC = draw_background(identity, sheet_size(size_px))
    return np.asarray(cv2.resize(sheet_HWC, (size_px, size_px), interpolation=cv2.INTER_AREA), dtype=np.float32)


def _with_shapes(wall_HWC: Levels, rng: np.random.Generator) -> None:
    """Discs, boxes and slanted planes on a wall, in place."""
    size_px = len(wall_HWC)
    for _ in range(int(rng.integers(1, MOST_SHAPES + 1))):
        colour = rng.uniform(0, 255, 3).tolist()
        x_px, y_px, reach_px = (int(each) for each in rng.uniform([0, 0, 0.05], [1, 1, 0.45]) * size_px)
        shape = rng.integers(3)
        if shape == 0:
            cv2.circle(wall_HWC, (x_px, y_px), reach_px, colour, -1, lineType=cv2.LINE_AA)
        elif shape == 1:
            other = (x_px + reach_px, y_px + int(rng.uniform(0.3, 3.0) * reach_px))
            cv2.rectangle(wall_HWC, (x_px, y_px), other, colour, -1)
        else:
            corners_32 = (rng.uniform(-0.2, 1.2, (3, 2)) * size_px).astype(np.int32)
            cv2.fillPoly(wall_HWC, [corners_32], colour, lineType=cv2.LINE_AA)
