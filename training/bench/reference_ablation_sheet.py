"""A picture of the ablation for a person's eyes: each twin's references, its films without and with them, and the truth; then the last
frames of films that turn round.

Called by `reference_ablation_cli`. It looks at results and writes a picture; it measures nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.bench.reference_ablation import FaceResult, TwinResult, View

MOST_FACES: Final = 6
COLUMNS: Final = {
    "global": "global reference",
    "reference": "its smile",
    "without": "without expression references",
    "with": "with",
    "truth": "truth",
    "codec": "truth through the codec",
}
BACK_COLUMNS: Final[dict[View, str]] = {"truth": "from behind", "without": "without it", "with": "with it"}
FACE: Final = (0.32, 0.82, 0.2, 0.8)  # top, bottom, left, right of what is shown, shares of the picture
CELL_PX: Final = (140, 168)
HEAD_PX: Final = 24
GAP_PX: Final = 6
PAPER: Final = 245


def write_ablation_sheet(path: Path, faces: Sequence[FaceResult]) -> None:
    """A PNG or JPEG with up to `MOST_FACES` faces spread over the results, two rows each."""
    chosen = np.unique(np.linspace(0, len(faces) - 1, min(MOST_FACES, len(faces))).round().astype(int))
    rows = []
    for index in chosen:
        rows += [_row(twin) for twin in faces[index].twins]
        rows.append(np.full((GAP_PX, rows[0].shape[1], 3), PAPER, dtype=np.uint8))
    rows += _backs([faces[index] for index in chosen], rows[0].shape[1])
    sheet_HWC = np.concatenate([_headings(faces[0].twins[0]), *rows])
    cv2.imwrite(str(path), cv2.cvtColor(sheet_HWC, cv2.COLOR_RGB2BGR))


def _row(twin: TwinResult) -> NDArray[np.uint8]:
    between = np.full((CELL_PX[0], GAP_PX, 3), PAPER, dtype=np.uint8)
    cells = []
    for name in COLUMNS:
        cells += [*(_lower_face(picture_HWC) for picture_HWC in twin.strip_SHWC[name]), between]
    return np.concatenate(cells, axis=1)


def _backs(faces: Sequence[FaceResult], width_px: int) -> list[NDArray[np.uint8]]:
    """Films that turn round: a heading and a row of whole pictures, as many faces as fit."""
    cells = [(face.back_strip_SHWC[view][-1], title) for face in faces for view, title in BACK_COLUMNS.items()]
    side_px = CELL_PX[1]
    heading_HWC = np.full((HEAD_PX, width_px, 3), PAPER, dtype=np.uint8)
    row_HWC = np.full((side_px, width_px, 3), PAPER, dtype=np.uint8)
    num_whole = width_px // side_px // len(BACK_COLUMNS) * len(BACK_COLUMNS)
    for place, (picture_HWC, title) in enumerate(cells[:num_whole]):
        left = place * side_px
        row_HWC[:, left : left + side_px] = cv2.resize(picture_HWC, (side_px, side_px), interpolation=cv2.INTER_AREA)
        _write(heading_HWC, title, left)
    return [heading_HWC, row_HWC]


def _lower_face(picture_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture_HWC.shape[:2]
    top, bottom, left, right = (
        round(share * side) for share, side in zip(FACE, (height, height, width, width), strict=True)
    )
    shown_HWC = cv2.resize(picture_HWC[top:bottom, left:right], CELL_PX[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(shown_HWC, dtype=np.uint8)


def _headings(twin: TwinResult) -> NDArray[np.uint8]:
    cells = []
    for name, title in COLUMNS.items():
        cell_HWC = np.full((HEAD_PX, len(twin.strip_SHWC[name]) * CELL_PX[1] + GAP_PX, 3), PAPER, dtype=np.uint8)
        _write(cell_HWC, title, 0)
        cells.append(cell_HWC)
    return np.concatenate(cells, axis=1)


def _write(heading_HWC: NDArray[np.uint8], title: str, left_px: int) -> None:
    """Words into a heading, in place."""
    place = (left_px + 4, HEAD_PX - 8)
    cv2.putText(heading_HWC, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
