"""The reference pictures of a character: one global, four views, eight expressions.

Called by clip writing, training and the character maker. Views are named by where the character turns: in `left` it has
turned to its own left, so its nose points to the picture's right, as a positive yaw does in a film.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.draw import (
    WHITE_LEVEL,
    background_sheet,
    canvas_for,
    draw_frame,
    draw_matte,
    matte_between,
    sheet_of,
)
from training.actor.drawing.canvas import Picture, sheet_size
from training.actor.drawing.expression import controls_of
from training.actor.drawing.ink import Ink
from training.actor.drawing.profile import draw_profile
from training.actor.drawing.rear import draw_rear
from training.actor.drawing.staging import body_pose, head_pose
from training.actor.identity import Identity
from training.actor.state import EXPRESSIONS, VIEWS, channel, resting_state

_STILL_SCALES: Final = {"left": 0.84, "right": 0.84, "rear": 0.75}  # these show more of the hair and the clothes
_STILL_YS: Final = {"left": 0.44, "right": 0.44, "rear": 0.42}


def draw_references(identity: Identity, size_px: int) -> dict[str, Picture]:
    """All references, uint8 RGB [size_px, size_px, 3]: `global`, `view_<name>` for four views, `expression_<name>` for eight.

    The global one is the character from the front, at rest, looking at the viewer.
    """
    pictures = {"global": draw_frame(identity, resting_state(1)[0], size_px)}
    pictures |= {f"view_{view}": draw_view(identity, view, size_px) for view in VIEWS}
    pictures |= {f"expression_{name}": draw_expression(identity, name, size_px) for name in EXPRESSIONS}
    return pictures


def expression_state(name: str, intensity: float = 1.0) -> NDArray[np.float32]:
    """A character at rest but for one expression; the rest of the weight is neutral."""
    state_K: NDArray[np.float32] = resting_state(1)[0]
    state_K[channel("expression_neutral")] = 1.0 - intensity
    state_K[channel(f"expression_{name}")] += intensity
    return state_K


def draw_expression(identity: Identity, name: str, size_px: int, intensity: float = 1.0) -> Picture:
    """One of the eight expressions from the front, with the mouth not speaking."""
    return draw_frame(identity, expression_state(name, intensity), size_px)


def draw_view(identity: Identity, view: str, size_px: int) -> Picture:
    """One of the four views at rest; `ValueError` for a view there is not."""
    if view == "front":
        return draw_frame(identity, resting_state(1)[0], size_px)
    sheet = background_sheet(identity, sheet_size(size_px))
    return _view_on(sheet[:, ::-1] if view == "right" else sheet, identity, view, size_px)


def draw_view_matte(identity: Identity, view: str, size_px: int) -> NDArray[np.float32]:
    """How much of each pixel of such a picture the character covers, [size_px, size_px] from 0 to 1; `ValueError` as above."""
    if view == "front":
        return draw_matte(identity, resting_state(1)[0], size_px)
    return matte_between(
        *(_view_on(sheet_of(level, sheet_size(size_px)), identity, view, size_px) for level in (0, WHITE_LEVEL))
    )


def _view_on(sheet_HWC: Picture, identity: Identity, view: str, size_px: int) -> Picture:
    """A view that is not from the front, drawn on a copy of a sheet; the right one is the left one in the mirror, sheet and all."""
    if view not in VIEWS:
        raise ValueError(f"there is no view {view!r}; the views are {', '.join(VIEWS)}")
    sheet_px = sheet_size(size_px)
    canvas = canvas_for(identity, np.array(sheet_HWC, order="C"))
    controls = controls_of(resting_state(1)[0])
    pose = head_pose(identity, controls, sheet_px)
    still = replace(pose, unit_px=pose.unit_px * _STILL_SCALES[view], centre_y_px=_STILL_YS[view] * sheet_px)
    ink = Ink(canvas, still)
    if view == "rear":
        body = replace(body_pose(identity, controls, sheet_px), unit_px=still.unit_px, y_px=still.centre_y_px)
        draw_rear(ink, identity, body)
    else:
        draw_profile(ink, identity, controls)
    picture = canvas.finished(size_px)
    return np.ascontiguousarray(picture[:, ::-1]) if view == "right" else picture
