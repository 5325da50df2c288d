"""`lpm evaluate pictures`: what the benchmark's eye reads from single pictures of a character, one row a picture.

Called by `cli`, and by `lpm bench stream` for the pictures that a live session leaves.
"""

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from engine.characters import character_files, find_character, list_characters, load_character
from engine.errors import BadInputError
from engine.media.pictures import read_picture
from training.actor.draw import draw_frame
from training.actor.identity import sample_identity
from training.actor.state import resting_state
from training.bench.cases import HELD_OUT_SEED
from training.bench.long_form import identity_of
from training.bench.reading import BATCH_FRAMES, pixels_of, read_film, resized
from training.bench.regressor import READ_CHANNELS, LoadedRegressor, load_regressor
from training.bench.report import check_report, write_report
from training.bench.statistics import mean
from training.bench.terminal import tell

NUM_STRANGERS = 63  # held-out actors; with the character itself as many as `lpm evaluate quick` tells apart

NOTES = {
    "identity_distance": "1 - cosine of what the regressor reads from a picture and from the character's global picture",
    "of_others": "mean distance of the other characters' pictures from this one's",
    "is_own_nearest": f"the character's global picture is nearer to the picture than any of {NUM_STRANGERS} held-out actors' is",
    "face_lab": "mean CIELAB (D65) of a box between the eyes and the mouth, 0.9 x 0.5 of their distance",
}


def add_arguments(jobs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The arguments of the job."""
    pictures = jobs.add_parser("pictures", help="identity, mouth and face colour of single pictures")
    pictures.add_argument("folder", type=Path, help="a folder of PNG pictures")
    pictures.add_argument("--character", default="maya", help="who they show: a name or a folder")
    pictures.add_argument("--report", type=Path, required=True, help="where the JSON report goes")


def run_pictures_job(options: argparse.Namespace) -> None:
    """Reads every picture of the folder, in the order of their names."""
    torch.set_num_threads(1)
    paths = sorted(options.folder.glob("*.png"))
    if not paths:
        raise BadInputError(f"{options.folder}: there are no PNG pictures here; name the folder that holds them")
    check_report(options.report, (*paths, *character_files(options.character)))
    regressor, folder = load_regressor(), find_character(options.character)
    own_D = identity_of(regressor, load_character(folder))
    others = [load_character(card.folder) for card in list_characters() if card.folder != folder]
    strangers_ND, rows = strangers_of(regressor), list[dict[str, Any]]()
    for start in range(0, len(paths), BATCH_FRAMES):
        rows += read_rows(regressor, own_D, strangers_ND, paths[start : start + BATCH_FRAMES])
    report = {
        "regressor_sha256": regressor.sha256,
        "notes": NOTES,
        "of_others": mean([1.0 - float(own_D @ identity_of(regressor, other)) for other in others] or [float("nan")]),
        "pictures": rows,
    }
    write_report(options.report, report)
    tell(f"{len(rows)} pictures read")


def strangers_of(regressor: LoadedRegressor) -> NDArray[np.float32]:
    """Identities of held-out actors at rest, unit vectors [N, D]."""
    size_px, rest_K = regressor.network.config.picture_px, resting_state(1)[0]
    portraits = [
        draw_frame(sample_identity(HELD_OUT_SEED + number), rest_K, size_px) for number in range(NUM_STRANGERS)
    ]
    strangers_ND: NDArray[np.float32] = read_film(regressor, np.stack(portraits)).identity_TD
    return strangers_ND


def read_rows(
    regressor: LoadedRegressor, own_D: NDArray[np.float32], strangers_ND: NDArray[np.float32], paths: list[Path]
) -> list[dict[str, Any]]:
    """A row for each picture."""
    size_px = regressor.network.config.picture_px
    pictures_THWC = np.stack([resized(read_picture(path), size_px) for path in paths])
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = regressor.network(pixels_of(pictures_THWC))
    opening_T = found.readings_BK[:, READ_CHANNELS.index("mouth_open")].tolist()
    identity_TD = found.identity_BD.float().numpy()
    distances_T, of_strangers_T = 1.0 - identity_TD @ own_D, 1.0 - (identity_TD @ strangers_ND.T).max(axis=1)
    return [
        {
            "name": path.name,
            "identity_distance": round(float(distance), 5),
            "is_own_nearest": bool(distance < of_strangers),
            "mouth_open": round(opening, 4),
            "face_lab": [round(float(value), 3) for value in face_lab(picture_HWC, places_22)],
        }
        for path, distance, of_strangers, opening, picture_HWC, places_22 in zip(
            paths, distances_T, of_strangers_T, opening_T, pictures_THWC, found.places_B22.numpy(), strict=True
        )
    ]


def face_lab(picture_HWC: NDArray[np.uint8], places_22: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean CIELAB [3] of the skin between the mouth and the eyes; `places_22` holds both as (x, y) in 0..1."""
    side = picture_HWC.shape[0]
    mouth_2, eyes_2 = places_22 * side
    (x, y), distance = (mouth_2 + eyes_2) / 2, max(float(np.linalg.norm(mouth_2 - eyes_2)), 4.0)
    left, right = (int(np.clip(x + sign * 0.45 * distance, 0, side - 1)) for sign in (-1, 1))
    top, bottom = (int(np.clip(y + sign * 0.25 * distance, 0, side - 1)) for sign in (-1, 1))
    box_HWC = picture_HWC[top : bottom + 1, left : right + 1].astype(np.float32) / 255.0
    lab_HWC = np.asarray(cv2.cvtColor(box_HWC, cv2.COLOR_RGB2LAB), dtype=np.float64)
    return np.asarray(lab_HWC.mean(axis=(0, 1)))
