"""Directions show in the state, in order; captions say them in few bytes and many ways."""

import itertools

import numpy as np
import pytest

from training.actor.captions import MOST_BYTES, caption
from training.actor.directions import (
    GAZE_TARGETS,
    HEAD_TARGETS,
    LABEL_NAMES,
    DirectedSpan,
    Direction,
    apply_directions,
    direction_labels,
    direction_labels_per_frame,
    sample_spans,
)
from training.actor.performance import CLIP_KINDS, perform_clip
from training.actor.state import EXPRESSIONS, channel, resting_state
from training.actor.voices import VoicePool


def _directed(*moments: Direction) -> np.ndarray:
    state_TK = resting_state(moments[-1].end_frame)
    apply_directions(np.random.default_rng(0), state_TK, moments)
    return state_TK


@pytest.mark.parametrize("name", EXPRESSIONS[1:])
def test_an_expression_shows_within_ten_frames_and_holds(name: str) -> None:
    state_TK = _directed(
        Direction(start_frame=0, end_frame=24), Direction(start_frame=24, end_frame=72, expression=name, intensity=0.8)
    )
    track = state_TK[:, channel(f"expression_{name}")]
    assert track[:24].max() == 0.0
    assert track[34:].min() > 0.9 * 0.8 and track.max() <= 0.81
    expressions = state_TK[:, [channel(f"expression_{each}") for each in EXPRESSIONS]]
    assert expressions.sum(axis=1) == pytest.approx(np.ones(72), abs=0.01)


def test_gaze_and_head_obey_in_their_order() -> None:
    state_TK = _directed(
        Direction(start_frame=0, end_frame=36, gaze="left"),
        Direction(start_frame=36, end_frame=84, gaze="up", head="right"),
    )
    gaze_x, gaze_y, yaw = (state_TK[:, channel(name)] for name in ("gaze_x", "gaze_y", "yaw"))
    assert gaze_x[10:36].max() < 0.8 * GAZE_TARGETS["left"][0] and abs(gaze_y[:36]).max() < 0.1
    assert gaze_y[46:].min() > 0.8 * GAZE_TARGETS["up"][1]
    assert yaw[:36].max() < 0.05 and yaw[50:].min() > 0.8 * HEAD_TARGETS["right"][0]


def test_directed_poses_are_larger_than_free_motion(pool: VoicePool) -> None:
    free = [perform_clip(seed, 120, "idle", pool) for seed in range(30)]
    undirected = [
        p.state_TK[:, channel("yaw")] for p in free if all(d.head is None and d.gaze is None for d in p.directions)
    ]
    assert 0.03 < np.concatenate(undirected).std() < 0.2
    assert np.abs(np.concatenate([p.state_TK[:, channel("yaw")] for p in free])).max() <= 0.5
    assert HEAD_TARGETS["right"][0] > 2 * np.concatenate(undirected).std()


def test_spans_tile_the_clip_and_hold_moments_in_order() -> None:
    rng = np.random.default_rng(4)
    for num_frames in (1, 20, 48, 120, 240, 1000):
        for kind in CLIP_KINDS:
            spans = sample_spans(rng, num_frames, kind)
            assert spans[0].start_frame == 0 and spans[-1].end_frame == num_frames
            assert all(a.end_frame == b.start_frame for a, b in itertools.pairwise(spans))
            for span in spans:
                assert span.moments[0].start_frame == span.start_frame
                assert span.moments[-1].end_frame == span.end_frame
            if kind in ("listen", "idle"):
                assert len(spans) == 1 and len(spans[0].moments) == 1


def test_captions_are_short_varied_and_name_expressions_evenly() -> None:
    rng = np.random.default_rng(7)
    texts: list[str] = []
    told = np.zeros(len(EXPRESSIONS))
    num_told = 0
    for index in range(1500):
        (span, *_) = sample_spans(rng, 120, CLIP_KINDS[index % 4])
        texts.append(caption(rng, span, CLIP_KINDS[index % 4]).text)
        if span.moments[0].is_expression_told:
            num_told += 1
            told[EXPRESSIONS.index(span.moments[0].expression)] += 1
    assert all(0 < len(text.encode()) <= MOST_BYTES for text in texts)
    assert len(set(texts)) > 1100
    assert num_told / len(texts) > 0.85
    assert told.min() / told.max() > 0.6


def test_captions_say_what_is_asked() -> None:
    rng = np.random.default_rng(2)
    span = DirectedSpan(
        start_frame=0,
        end_frame=80,
        moments=(
            Direction(start_frame=0, end_frame=40, expression="angry"),
            Direction(start_frame=40, end_frame=80, expression="angry", is_expression_told=False, gaze="left"),
        ),
    )
    for _ in range(100):
        text = caption(rng, span, "speak").text
        order = text.lower().rfind("left")
        assert order > 0, text
        connected = any(word in text.lower() for word in ("then", "afterwards", "next"))
        assert connected, text


def test_labels_are_numbers_of_the_caption() -> None:
    span = DirectedSpan(
        start_frame=0,
        end_frame=60,
        moments=(
            Direction(start_frame=0, end_frame=30, expression="sad", intensity=0.7, head="tilt_left"),
            Direction(start_frame=30, end_frame=60, expression="happy", gaze="right"),
        ),
    )
    labels = dict(zip(LABEL_NAMES, direction_labels(span).tolist(), strict=True))
    assert labels["first_expression"] == EXPRESSIONS.index("sad") and labels["first_intensity"] == pytest.approx(0.7)
    assert labels["first_has_head"] == 1.0 and labels["first_roll"] < 0 and labels["first_has_gaze"] == 0.0
    assert labels["last_expression"] == EXPRESSIONS.index("happy") and labels["last_gaze_x"] > 0.5
    rows = direction_labels_per_frame((span,), 60)
    assert rows.shape == (60, len(LABEL_NAMES) // 2) and rows[29, 0] != rows[30, 0]


def test_a_direction_checks_itself() -> None:
    with pytest.raises(ValueError, match="no expression 'bored'"):
        Direction(start_frame=0, end_frame=5, expression="bored")
    with pytest.raises(ValueError, match="beginning before its end"):
        Direction(start_frame=5, end_frame=5)
