"""Whether a character that is told to turn its back shows what is printed there: twins that differ in the print alone.

From the front nobody can tell such twins apart, so without a picture from behind one film serves both, and is right for exactly one of
them: chance is one half by construction. Called by `reference_ablation`. Knows no model.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.characters import Character, Reference, ReferenceKind
from training.actor.captions import CaptionSpan
from training.actor.draw import draw_frame
from training.actor.identity import PRINTS, Identity, sample_identity
from training.actor.references import draw_view
from training.actor.state import resting_state
from training.bench.cases import FilmRequest
from training.bench.reading import resized

DIRECTION: Final = "turns their back to us"
NUM_FRAMES: Final = 48
NUM_JUDGED: Final = 8  # the last ones: by then a turn has arrived
TELLING_LEVELS: Final = 24.0  # of 0..255, by which drawings of both prints differ where they are looked at
MOST_SHIFT: Final = 0.042  # of a picture's side: who stands with the back to us still sways
NEAR: Final = 0.5  # of the difference between both prints: what is further from either is no back of theirs

Film = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class BackTwin:
    """A twin and the other's print."""

    identity: Identity
    other: Identity


def back_twins(seed: int) -> tuple[BackTwin, BackTwin]:
    """Both twins of a face: as it is drawn by lot, and with another print."""
    first = sample_identity(seed)
    others = [name for name in PRINTS if name != first.back_print]
    second = replace(first, back_print=others[seed % len(others)])
    return BackTwin(identity=first, other=second), BackTwin(identity=second, other=first)


def seen_from(identity: Identity, size_px: int, *, has_back: bool) -> Character:
    """A character of which there is a global picture, and one from behind or none."""
    drawn = [(ReferenceKind.GLOBAL, "", draw_frame(identity, resting_state(1)[0], size_px))]
    drawn += [(ReferenceKind.VIEW, "rear", draw_view(identity, "rear", size_px))] if has_back else []
    return Character(
        name=f"actor {identity.seed}",
        description="a held-out actor of the benchmark",
        references=tuple(
            Reference(kind=kind, subtype=subtype, picture_HWC=picture_HWC, path=Path(f"{subtype or 'global'}.png"))
            for kind, subtype, picture_HWC in drawn
        ),
    )


def turning(character: Character, seed: int) -> FilmRequest:
    """What a film is asked for in which the character says nothing and turns its back."""
    return FilmRequest(
        character=character,
        speak_S=None,
        listen_S=None,
        prompts=(CaptionSpan(start_frame=0, end_frame=NUM_FRAMES, text=DIRECTION),),
        num_frames=NUM_FRAMES,
        seed=seed,
    )


def print_lead(twin: BackTwin, film_THWC: Film, drawn_px: int) -> float:
    """By how much a film's last frames are nearer to a twin's back than to the other's, where these two differ: above 0 is right, and
    0 for a film that shows neither."""
    size_px = film_THWC.shape[1]
    own_HWC, other_HWC = (
        resized(draw_view(each, "rear", drawn_px), size_px).astype(np.float32) for each in (twin.identity, twin.other)
    )
    is_telling_HW = np.abs(own_HWC - other_HWC).max(axis=2) > TELLING_LEVELS
    errors_T2 = [
        [_least_error(frame_HWC, back_HWC, is_telling_HW) for back_HWC in (own_HWC, other_HWC)]
        for frame_HWC in film_THWC[-NUM_JUDGED:]
    ]
    apart = float(np.sqrt(np.square(own_HWC - other_HWC)[is_telling_HW].mean()))
    own, other = np.mean(errors_T2, axis=0).tolist()
    return other - own if min(own, other) < NEAR * apart else 0.0


def _least_error(frame_HWC: Film, back_HWC: NDArray[np.float32], is_telling_HW: NDArray[np.bool_]) -> float:
    """How far a frame is from a drawing in some of its pixels, wherever it fits best: mean difference in levels."""
    y_N, x_N = is_telling_HW.nonzero()
    reach = round(MOST_SHIFT * len(frame_HWC))
    top, bottom = max(y_N.min() - reach, 0), min(y_N.max() + reach + 1, len(frame_HWC))
    left, right = max(x_N.min() - reach, 0), min(x_N.max() + reach + 1, frame_HWC.shape[1])
    mask_HW = is_telling_HW[y_N.min() : y_N.max() + 1, x_N.min() : x_N.max() + 1].astype(np.float32)
    drawn_HWC = back_HWC[y_N.min() : y_N.max() + 1, x_N.min() : x_N.max() + 1]
    searched_HWC = frame_HWC[top:bottom, left:right].astype(np.float32)
    squares_HW = cv2.matchTemplate(
        searched_HWC, drawn_HWC, cv2.TM_SQDIFF, mask=np.repeat(mask_HW[..., None], 3, axis=2)
    )
    return float(np.sqrt(max(squares_HW.min(), 0.0) / (3.0 * mask_HW.sum())))
