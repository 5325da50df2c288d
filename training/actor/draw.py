"""Draws the actor: one identity, one frame of acting, one picture of any size.

Called by clip writing, training and the benchmark. It reads the state's channels and knows nothing of why they move.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.drawing import accessories, eyes, hair, head, mouth, torso
from training.actor.drawing.background import draw_background
from training.actor.drawing.canvas import Canvas, Picture, ShadedCanvas, sheet_size
from training.actor.drawing.expression import controls_of
from training.actor.drawing.ink import Ink
from training.actor.drawing.staging import body_pose, head_pose
from training.actor.identity import Identity
from training.actor.state import NUM_CHANNELS

WHITE_LEVEL: Final = 255


@lru_cache(maxsize=8)
def background_sheet(identity: Identity, size_px: int) -> Picture:
    """The backdrop of an identity, kept since it does not move; copy before drawing on it."""
    return draw_background(identity, size_px)


def draw_frame(identity: Identity, state_K: NDArray[np.float32], size_px: int) -> Picture:
    """One frame seen from the front, uint8 RGB [size_px, size_px, 3]; `ValueError` for a state of another length."""
    return _drawn_on(background_sheet(identity, sheet_size(size_px)).copy(), identity, state_K).finished(size_px)


def draw_matte(identity: Identity, state_K: NDArray[np.float32], size_px: int) -> NDArray[np.float32]:
    """How much of each pixel of such a frame the character covers, [size_px, size_px] from 0 to 1: what a white backdrop does not show."""
    sheet_px = sheet_size(size_px)
    return matte_between(
        *(_drawn_on(sheet_of(level, sheet_px), identity, state_K).finished(size_px) for level in (0, WHITE_LEVEL))
    )


def sheet_of(level: int, sheet_px: int) -> Picture:
    """An even grey sheet, to be drawn on."""
    return np.full((sheet_px, sheet_px, 3), level, np.uint8)


def matte_between(on_black_HWC: Picture, on_white_HWC: Picture) -> NDArray[np.float32]:
    """The matte of the same drawing on black and on white: what white does not shine through."""
    seen_HWC = on_white_HWC.astype(np.float32) - on_black_HWC
    return np.asarray(1.0 - seen_HWC.mean(axis=-1) / WHITE_LEVEL, dtype=np.float32).clip(0.0, 1.0)


def canvas_for(identity: Identity, sheet_HWC: Picture) -> Canvas:
    """The canvas on which this character is drawn."""
    shading = identity.manner.shading
    return Canvas(sheet_HWC) if shading == 1.0 else ShadedCanvas(sheet_HWC, identity.plain_colours, shading)


def _drawn_on(sheet_HWC: Picture, identity: Identity, state_K: NDArray[np.float32]) -> Canvas:
    """A character upon a sheet, which is drawn on."""
    if state_K.shape != (NUM_CHANNELS,):
        raise ValueError(f"a state has {NUM_CHANNELS} channels, this one has the shape {state_K.shape}")
    sheet_px, canvas = sheet_HWC.shape[0], canvas_for(identity, sheet_HWC)
    controls = controls_of(state_K)
    ink = Ink(canvas, head_pose(identity, controls, sheet_px))
    body = body_pose(identity, controls, sheet_px)
    hair.draw_hair_behind(ink, identity)
    ink.flush()
    torso.draw_torso(canvas, identity, body)
    head.draw_neck(ink, identity, *torso.neck_ends(identity, body))
    torso.draw_collar(canvas, identity, body)
    head.draw_skull(ink, identity, controls)
    if identity.hair_style not in hair.COVERS_EARS:
        head.draw_ears(ink, identity)
    head.draw_cheeks(ink, identity, controls)
    head.draw_beard(ink, identity, controls)
    for side in (-1.0, 1.0):
        eyes.draw_eye(ink, identity, controls, side)
    head.draw_nose(ink, identity, controls)
    mouth.draw_mouth(ink, identity, controls)
    upper_lip = mouth.mouth_shape(identity, controls).outer_upper
    head.draw_moustache(ink, identity, float(upper_lip[len(upper_lip) // 2, 1]))
    hair.draw_hair_front(ink, identity)
    accessories.draw_hat(ink, identity)
    for side in (-1.0, 1.0):
        eyes.draw_brow(ink, identity, controls, side)
    accessories.draw_glasses(ink, identity)
    ink.flush()
    return canvas


def draw_film(identity: Identity, state_TK: NDArray[np.float32], size_px: int) -> Picture:
    """All frames of a performance, uint8 RGB [T, size_px, size_px, 3]."""
    film = np.empty((len(state_TK), size_px, size_px, 3), dtype=np.uint8)
    for index, state_K in enumerate(state_TK):
        film[index] = draw_frame(identity, state_K, size_px)
    return film
