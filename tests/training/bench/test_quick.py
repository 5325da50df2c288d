"""The measures must tell a good film from a bad one: truth passes, and each way of being bad fails where it should."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.bench.known_films import TINY, ChangedFilms, TruthFilms, other_sound
from training.bench.contact_sheet import write_contact_sheet
from training.bench.quick import QuickRun
from training.bench.report import Figure

Judged = Callable[[TruthFilms | ChangedFilms], QuickRun]


def figure(run: QuickRun, name: str) -> Figure:
    return next(one for one in run.figures if one.name == name)


def value(run: QuickRun, name: str) -> float:
    estimate = figure(run, name).estimate
    assert estimate is not None
    return estimate.value


@pytest.fixture(scope="module")
def truth_run(judged: Judged, truth_films: TruthFilms) -> QuickRun:
    return judged(truth_films)


def test_the_truth_reaches_every_bar(truth_run: QuickRun) -> None:
    unreachable = {"psnr_db", "psnr_mouth_db", "psnr_eyes_db"}  # no codec here
    assert {one.name for one in truth_run.figures if one.is_reached is False} <= unreachable
    assert value(truth_run, "mouth_r") > 0.9
    assert value(truth_run, "motion_ratio") == pytest.approx(1.0)
    assert value(truth_run, "sharpness_ratio") == pytest.approx(1.0)
    assert value(truth_run, "siblings_farther") > 0.95
    assert value(truth_run, "closures_by_chance") <= 0.5 * value(truth_run, "closures_seen")
    assert value(truth_run, "directions_when_not_told") <= 0.25


def test_films_of_the_truth_score_what_the_floor_says(truth_run: QuickRun) -> None:
    for name in (
        "mouth_r",
        "mouth_amplitude",
        "identity_top1",
        "expression_accuracy",
        "nod_f1",
        "closures_seen",
        "sibling_top1",
        "directions_hit",
    ):
        assert value(truth_run, name) == pytest.approx(figure(truth_run, name).floor)


def test_each_interval_holds_its_value_and_counts_its_cases(truth_run: QuickRun) -> None:
    for one in truth_run.figures:
        if one.estimate is not None:
            low, high = one.estimate.interval
            assert low <= one.estimate.value + 1e-9
            assert one.estimate.value <= high + 1e-9
            assert one.estimate.num_cases == TINY.num_actors


def test_shuffled_sound_fails_the_mouth_and_the_nods_and_nothing_of_the_face(
    judged: Judged, truth_films: TruthFilms, truth_run: QuickRun
) -> None:
    run = judged(ChangedFilms(truth=truth_films, request=lambda request: other_sound(request, truth_films)))
    assert figure(run, "mouth_r").is_reached is False
    assert value(run, "mouth_r") < 0.35
    assert value(run, "nod_f1") <= 0.5 * value(truth_run, "nod_f1")
    assert value(run, "identity_top1_any_motion") >= 0.8
    assert value(run, "closures_seen") <= 0.5 * value(truth_run, "closures_seen")
    assert value(run, "directions_hit") <= 0.5


def test_a_frozen_picture_fails_mouth_motion_and_identity_however_good_its_face(
    judged: Judged, truth_films: TruthFilms
) -> None:
    def frozen(film_THWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.repeat(film_THWC[:1], len(film_THWC), axis=0)

    run = judged(ChangedFilms(truth=truth_films, picture=frozen))
    assert value(run, "mouth_r") == 0.0
    assert value(run, "mouth_amplitude") < 0.01
    assert value(run, "motion_ratio") < 0.05
    assert value(run, "identity_top1") == 0.0
    assert value(run, "identity_top1_any_motion") >= 0.8
    assert value(run, "nod_f1") == 0.0
    assert value(run, "closures_seen") == 0.0
    assert value(run, "sibling_top1") == 0.0
    assert value(run, "directions_hit") == 0.0
    assert figure(run, "nods_left_when_muted").is_reached is False


def test_a_wrong_identity_fails_identity_alone(judged: Judged, truth_films: TruthFilms, truth_run: QuickRun) -> None:
    def somebody_else(request: object) -> object:
        return replace(request, seed=(request.seed + 1) % TINY.num_actors)  # type: ignore[type-var, attr-defined]

    run = judged(ChangedFilms(truth=truth_films, request=somebody_else))  # type: ignore[arg-type]
    assert value(run, "identity_top1") == 0.0
    assert value(run, "siblings_farther") < value(truth_run, "siblings_farther")
    assert value(run, "mouth_r") > 0.8
    assert value(run, "closures_seen") >= 0.6
    assert value(run, "directions_hit") >= 0.6
    assert figure(run, "nod_f1").is_reached


def test_a_softer_picture_is_less_sharp_and_still_read(judged: Judged, truth_films: TruthFilms) -> None:
    def soft(film_THWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.stack([cv2.GaussianBlur(frame_HWC, (0, 0), 1.0) for frame_HWC in film_THWC]).astype(np.uint8)

    run = judged(ChangedFilms(truth=truth_films, picture=soft))
    assert value(run, "sharpness_ratio") < 0.8
    assert value(run, "mouth_r") > 0.8
    assert value(run, "identity_top1") >= 0.8


def test_the_report_says_all_that_checks_read(truth_run: QuickRun, tmp_path: Path) -> None:
    table = truth_run.as_table()
    base = table["base"]
    assert isinstance(base, dict)
    for name in (
        "mouth_r",
        "false_lip_rate",
        "identity_top1",
        "expression_accuracy",
        "nod_f1",
        "psnr_db",
        "motion_ratio",
        "closures_seen",
        "closures_by_chance",
        "sibling_top1",
        "siblings_farther",
        "directions_hit",
        "directions_when_not_told",
    ):
        assert {"value", "interval", "n", "floor", "ceiling", "bar", "reached"} <= set(base[name])
    assert truth_run.as_table("live")["live"] == base
    write_contact_sheet(tmp_path / "sheet.png", truth_run.results)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert sheet.shape[0] > TINY.num_actors * 2 * 100
