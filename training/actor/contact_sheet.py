"""A picture that shows a whole clip at a glance: references, frames through time, the sound, the mouth and the captions.

Called by `clip.write_clip` only. It draws what it is given and knows nothing of files.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.actor.performance import Performance
from training.actor.state import channel

NUM_FRAMES_SHOWN: Final = 24
COLUMNS: Final = 8
TILE_PX: Final = 160
MARGIN_PX: Final = 10
PAPER: Final = (250, 249, 246)
INK: Final = (40, 44, 52)
FAINT: Final = (206, 208, 212)
SPEAK: Final = (33, 104, 176)
LISTEN: Final = (190, 120, 30)
MOUTH: Final = (196, 52, 72)
TRACK_PX: Final = 56

Picture = NDArray[np.uint8]


def contact_sheet(frames_THWC: Picture, references: dict[str, Picture], performance: Performance) -> Picture:
    """The sheet as uint8 RGB; 13 references above, then frames evenly through time, then tracks and captions below."""
    width = COLUMNS * (TILE_PX + MARGIN_PX) + MARGIN_PX
    title = f"{performance.kind}, seed {performance.seed}, {performance.num_frames} frames"
    voices = ", ".join(voice for voice in (performance.speak_voice, performance.listen_voice) if voice)
    parts = [_line(width, f"{title}  {voices}"), _tiles(width, list(references.items()), TILE_PX * 5 // 8)]
    shown = np.linspace(0, len(frames_THWC) - 1, min(NUM_FRAMES_SHOWN, len(frames_THWC))).astype(int)
    parts.append(_tiles(width, [(f"{frame / 24:.2f} s", frames_THWC[frame]) for frame in shown], TILE_PX))
    parts += _tracks(width, performance)
    for span in performance.captions:
        parts.append(_line(width, f"{span.start_frame / 24:.2f}-{span.end_frame / 24:.2f} s  {span.text}"))
    return np.concatenate(parts, axis=0)


def _line(width: int, text: str) -> Picture:
    strip = np.full((26, width, 3), PAPER, dtype=np.uint8)
    plain = text.encode("ascii", errors="replace").decode()
    cv2.putText(strip, plain, (MARGIN_PX, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK, 1, cv2.LINE_AA)
    return strip


def _tiles(width: int, pictures: list[tuple[str, Picture]], tile_px: int) -> Picture:
    columns = (width - MARGIN_PX) // (tile_px + MARGIN_PX)
    rows = -(-len(pictures) // columns)
    height = rows * (tile_px + 18 + MARGIN_PX)
    sheet = np.full((height, width, 3), PAPER, dtype=np.uint8)
    for index, (name, picture_HWC) in enumerate(pictures):
        left = MARGIN_PX + index % columns * (tile_px + MARGIN_PX)
        top = index // columns * (tile_px + 18 + MARGIN_PX)
        sheet[top : top + tile_px, left : left + tile_px] = cv2.resize(
            picture_HWC, (tile_px, tile_px), interpolation=cv2.INTER_AREA
        )
        short = name.removeprefix("expression_").removeprefix("view_")
        place = (left, top + tile_px + 13)
        cv2.putText(sheet, short, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, INK, 1, cv2.LINE_AA)
    return sheet


def _tracks(width: int, performance: Performance) -> list[Picture]:
    strips = [
        _wave(width, sound_S, colour, name)
        for name, sound_S, colour in (
            ("speaks", performance.speak_S, SPEAK),
            ("hears", performance.listen_S, LISTEN),
        )
        if sound_S.any()
    ]
    for name, low, high in (("mouth_open", 0.0, 1.0), ("pitch", -0.45, 0.45), ("yaw", -0.5, 0.5)):
        values = (performance.state_TK[:, channel(name)] - low) / (high - low)
        strips.append(_curve(width, values, (0.0 - low) / (high - low), name))
    for event in performance.listening_events:
        x = _x_of(width, event.frame / performance.num_frames)
        cv2.putText(strips[0], event.rule, (x, TRACK_PX - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.38, MOUTH, 1, cv2.LINE_AA)
    return strips


def _x_of(width: int, position: float) -> int:
    return MARGIN_PX + int(position * (width - 2 * MARGIN_PX))


def _wave(width: int, sound_S: NDArray[np.float32], colour: tuple[int, int, int], name: str) -> Picture:
    strip = np.full((TRACK_PX, width, 3), PAPER, dtype=np.uint8)
    columns = width - 2 * MARGIN_PX
    edges = np.linspace(0, len(sound_S), columns + 1).astype(int)[:-1]
    high, low = np.maximum.reduceat(sound_S, edges), np.minimum.reduceat(sound_S, edges)
    scale = 0.48 * TRACK_PX / max(float(np.abs(sound_S).max()), 1e-6)
    for column in range(columns):
        top, bottom = int(TRACK_PX / 2 - high[column] * scale), int(TRACK_PX / 2 - low[column] * scale)
        strip[top : bottom + 1, MARGIN_PX + column] = colour
    cv2.putText(strip, name, (MARGIN_PX, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, INK, 1, cv2.LINE_AA)
    return strip


def _curve(width: int, values_T: NDArray[np.float32], zero: float, name: str) -> Picture:
    strip = np.full((TRACK_PX, width, 3), PAPER, dtype=np.uint8)

    def y_of(value: NDArray[np.float32] | float) -> NDArray[np.float64]:
        return np.asarray(TRACK_PX - 4 - np.asarray(value, dtype=np.float64) * (TRACK_PX - 8))

    level = int(y_of(zero))
    cv2.line(strip, (MARGIN_PX, level), (width - MARGIN_PX, level), FAINT, 1)
    x = MARGIN_PX + (np.arange(len(values_T)) + 0.5) / len(values_T) * (width - 2 * MARGIN_PX)
    line = np.stack([x, y_of(values_T)], axis=1).round().astype(np.int32)
    cv2.polylines(strip, [line], False, MOUTH, 1, cv2.LINE_AA)
    cv2.putText(strip, name, (MARGIN_PX, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, INK, 1, cv2.LINE_AA)
    return strip
