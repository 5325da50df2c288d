"""What a film is worth: each measure is a pure function of readings, times or pictures.

Called by `figures` once for the judged film, once for the truth's own frames (the regressor's noise) and once for the truth
through the pack's codec (the ceiling). Knows nothing of how films are made.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.bench.reading import Reading
from training.bench.statistics import EventCounts, match_events, pearson

FALSE_LIP_SHARE: Final = 0.15  # of the speaking range; more than this is a mouth that speaks
SPEAKING_RANGE_PERCENTILE: Final = 95.0
MOTION_UNITS: Final = {"yaw": 0.1, "pitch": 0.06, "roll": 0.05, "gaze_x": 0.3, "gaze_y": 0.2, "mouth_open": 0.25}
# Of a single clip. Of the actor's own speaking clips 6 in 100 move less than this against another of them, of its listening ones none;
# at 0.6 it would be 20 and 8.
LEAST_CLIP_MOTION_RATIO: Final = 0.4
NOD_TOLERANCE_FRAMES: Final = 6
NOD_DEPTH_RAD: Final = 0.06  # a shallower dip is a drift of the head, not a nod
NOD_REACH_FRAMES: Final = 8  # a nod goes down and comes up again within this much on each side
NOD_APART_FRAMES: Final = 10
SMOOTHING: Final = (0.25, 0.5, 0.25)
SETTLING_FRAMES: Final = 12  # an expression asked for may take half a second to appear


def smoothed(series_T: NDArray[np.float32]) -> NDArray[np.float32]:
    """A light low-pass over three frames; the ends are held."""
    padded = np.pad(series_T, 1, mode="edge")
    return np.convolve(padded, SMOOTHING, mode="valid").astype(np.float32)


def mouth_correlation(film: Reading, exact: Reading) -> float:
    """How closely the opening follows what this sound does to this actor's mouth, at lag 0."""
    return pearson(film.series("mouth_open"), exact.series("mouth_open"))


def mouth_amplitude(film: Reading, exact: Reading) -> float:
    """How far the mouth moves against the truth: ratio of standard deviations."""
    spread = float(exact.series("mouth_open").std())
    return float(film.series("mouth_open").std()) / spread if spread > 1e-6 else 0.0


def speaking_range(exact_films: list[Reading]) -> float:
    """The opening that speech reaches: the 95th percentile over all speaking clips' truth."""
    openings = np.concatenate([exact.series("mouth_open") for exact in exact_films])
    return float(np.percentile(openings, SPEAKING_RANGE_PERCENTILE))


def closed_opening(truth: Reading) -> float:
    """What the regressor reads, over a clip in which the mouth is closed, from an expression that parts the lips by itself."""
    return max(0.0, float(np.median(truth.series("mouth_open"))))


def false_lip_share(film: Reading, truth: Reading, range_of_speech: float) -> float:
    """Share of frames in which a listener's mouth is open by more than 15 % of the speaking range.

    `truth` is the same clip's own frames, whose mouth is closed: what is read from them is the expression's and not speech.
    """
    allowed = closed_opening(truth) + FALSE_LIP_SHARE * range_of_speech
    return float((film.series("mouth_open") > allowed).mean())


def motion(film: Reading) -> float:
    """How much head, gaze and mouth move: the mean over six channels of the deviation over time, each in its usual unit."""
    return float(np.mean([smoothed(film.series(name)).std() / unit for name, unit in MOTION_UNITS.items()]))


def motion_ratio(film: Reading, truth: Reading) -> float:
    """Motion against that of the truth's own frames, both as the regressor sees them."""
    of_truth = motion(truth)
    return motion(film) / of_truth if of_truth > 1e-6 else 0.0


def is_moving(film: Reading, truth: Reading) -> bool:
    """Whether a film moves enough for its face to count: a frozen picture keeps its face at no cost."""
    return motion_ratio(film, truth) >= LEAST_CLIP_MOTION_RATIO


def nearest_reference(film: Reading, references_RD: NDArray[np.float32]) -> int:
    """Which reference the film's mean face is nearest to, by cosine."""
    return int(likeness(film, references_RD).argmax())


def likeness(film: Reading, references_RD: NDArray[np.float32]) -> NDArray[np.float32]:
    """How near the film's mean face is to each reference: cosine but for the length of the film's own, [R]."""
    face_D = film.identity_TD.mean(axis=0)
    near_R: NDArray[np.float32] = references_RD @ face_D / np.linalg.norm(references_RD, axis=1).clip(1e-6)
    return near_R


def shown_expression(film: Reading, start_frame: int = SETTLING_FRAMES) -> int:
    """The expression with the largest mean share, once it had time to appear."""
    shares_TE = film.expression_TE[min(start_frame, film.num_frames - 1) :]
    return int(shares_TE.mean(axis=0).argmax())


def nod_frames(film: Reading) -> list[int]:
    """Frames at the bottom of each nod: pitch dips by `NOD_DEPTH_RAD` below both of its sides and comes back."""
    pitch_T = smoothed(smoothed(film.series("pitch")))
    found: list[int] = []
    for frame in range(1, len(pitch_T) - 1):
        before_T = pitch_T[max(0, frame - NOD_REACH_FRAMES) : frame]
        after_T = pitch_T[frame + 1 : frame + 1 + NOD_REACH_FRAMES]
        is_bottom = pitch_T[frame] <= pitch_T[frame - 1] and pitch_T[frame] < pitch_T[frame + 1]
        depth = min(before_T.max(), after_T.max()) - pitch_T[frame]
        if not is_bottom or depth < NOD_DEPTH_RAD:
            continue
        if found and frame - found[-1] < NOD_APART_FRAMES:
            if pitch_T[frame] < pitch_T[found[-1]]:
                found[-1] = frame
            continue
        found.append(frame)
    return found


def nod_counts(film: Reading, rule_frames: tuple[int, ...]) -> EventCounts:
    """Nods seen against the frames at which the partner's sound calls for one."""
    return match_events(nod_frames(film), rule_frames, NOD_TOLERANCE_FRAMES)


def psnr_db(squared_error: float) -> float:
    """Peak signal to noise of a mean squared error of uint8 pictures; 100 dB for identical ones."""
    return float(10.0 * np.log10(255.0**2 / squared_error)) if squared_error > 255.0**2 / 1e10 else 100.0


def squared_error(film_THWC: NDArray[np.uint8], truth_THWC: NDArray[np.uint8]) -> float:
    """Mean squared error over whole frames."""
    difference = film_THWC.astype(np.float32) - truth_THWC.astype(np.float32)
    return float(np.square(difference).mean())


def boxed_squared_error(
    film_THWC: NDArray[np.uint8], truth_THWC: NDArray[np.uint8], boxes_T4: NDArray[np.float32]
) -> float:
    """Mean squared error inside one box a frame, (left, top, right, bottom) in 0..1."""
    errors = [
        squared_error(cut_box(film_HWC, box_4), cut_box(truth_HWC, box_4))
        for film_HWC, truth_HWC, box_4 in zip(film_THWC, truth_THWC, boxes_T4, strict=True)
    ]
    return float(np.mean(errors))


def cut_box(frame_HWC: NDArray[np.uint8], box_4: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The part of a frame inside a box in 0..1, at least one pixel large."""
    height, width = frame_HWC.shape[:2]
    left, top = int(np.clip(box_4[0] * width, 0, width - 1)), int(np.clip(box_4[1] * height, 0, height - 1))
    right, bottom = int(np.ceil(box_4[2] * width)), int(np.ceil(box_4[3] * height))
    return frame_HWC[top : max(bottom, top + 1), left : max(right, left + 1)]


def sharpness(film_THWC: NDArray[np.uint8]) -> float:
    """Mean strength of the finest edges: the absolute difference of neighbouring pixels' differences."""
    film = film_THWC.astype(np.float32).mean(axis=-1)
    across = np.abs(np.diff(film, n=2, axis=2)).mean()
    down = np.abs(np.diff(film, n=2, axis=1)).mean()
    return float(across + down)
