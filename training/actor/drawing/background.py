"""The calm backdrop behind the actor: a soft gradient and one or two large shapes.

Called once per identity and size by `training.actor.draw`.
"""

import numpy as np

from training.actor.drawing.canvas import Canvas, Picture
from training.actor.drawing.geometry import ellipse
from training.actor.drawing.palette import light, shade
from training.actor.identity import Identity


def draw_background(identity: Identity, size_px: int) -> Picture:
    """The backdrop as a new sheet, [size, size, 3]."""
    top = np.array(light(identity.backdrop_colour, 0.14), dtype=np.float32)
    low = np.array(shade(identity.backdrop_colour, 0.07), dtype=np.float32)
    share = np.linspace(0.0, 1.0, size_px, dtype=np.float32)[:, None, None]
    sheet = np.broadcast_to(top + (low - top) * share, (size_px, size_px, 3))
    canvas = Canvas(np.ascontiguousarray(sheet + 0.5).astype(np.uint8))
    side, second = identity.backdrop_side, identity.backdrop_second
    if identity.backdrop == "disc":
        canvas.fill(ellipse(0.5, 0.46, 0.4, 0.4, 64) * np.float32(size_px), second)
    elif identity.backdrop == "hill":
        canvas.fill(ellipse(0.5 + 0.35 * side, 1.02, 0.62, 0.5, 64) * np.float32(size_px), second)
    elif identity.backdrop == "two_discs":
        canvas.fill(ellipse(0.5 - 0.42 * side, 0.2, 0.2, 0.2, 48) * np.float32(size_px), second)
        canvas.fill(ellipse(0.5 + 0.42 * side, 0.62, 0.28, 0.28, 48) * np.float32(size_px), second)
    return canvas.sheet_HWC
