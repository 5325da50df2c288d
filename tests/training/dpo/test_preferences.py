"""Pairs: only by dominance, only where both move alike, and through a file that people's votes fit in."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import BadInputError
from training.actor.listening import NOD_SHAPE
from training.actor.motion import add_pulse
from training.actor.state import channel, resting_state
from training.dpo.pairs import FILMS, PLANS, PreferencePair, read_pairs, read_scene, write_pairs, write_scene
from training.dpo.pareto import Candidate, ParetoConfig, dominates, winning_pairs
from training.dpo.scores import mouth_scores, score_plan

CONFIG = ParetoConfig(margins={"lips": 0.1}, default_margin=0.05, most_motion_ratio=1.5)


def test_a_winner_is_clearly_better_somewhere_and_worse_nowhere() -> None:
    base = {"lips": 0.5, "face": 0.5}
    assert dominates(CONFIG, {"lips": 0.65, "face": 0.5}, base)
    assert not dominates(CONFIG, {"lips": 0.58, "face": 0.5}, base), "within the noise of the measure"
    assert dominates(CONFIG, {"lips": 0.65, "face": 0.48}, base), "equal within the noise of the measure"
    assert not dominates(CONFIG, {"lips": 0.9, "face": 0.47}, base), "a trade-off"
    with pytest.raises(ValueError, match="same axes"):
        dominates(CONFIG, {"lips": 0.9}, base)


def test_pairs_are_matched_in_motion() -> None:
    still = Candidate(scores={"lips": 0.9}, motion=0.1)
    lively = Candidate(scores={"lips": 0.5}, motion=1.0)
    alike = Candidate(scores={"lips": 0.2}, motion=0.8)
    assert list(winning_pairs(CONFIG, [still, lively, alike])) == [(1, 2)]


def test_mouths_are_scored_where_there_is_something_to_score() -> None:
    speech_T = np.array([0.0, 0.6, 0.0, 0.6], dtype=np.float32)
    silence_T = np.zeros(4, dtype=np.float32)
    assert mouth_scores(speech_T, speech_T) == {"lip_sync": 0.0, "mouth_closed": 0.0}
    assert mouth_scores(speech_T, silence_T) == {"mouth_closed": pytest.approx(-0.3)}
    assert mouth_scores(silence_T, speech_T)["lip_sync"] < -0.2


def listening_state(nod_frame: int | None = None) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Four seconds of somebody who sways a little and may nod once."""
    state_TK = resting_state(96)
    state_TK[:, channel("yaw")] = 0.05 * np.sin(np.arange(96) / 9.0)
    if nod_frame is not None:
        add_pulse(state_TK[:, channel("pitch")], nod_frame, NOD_SHAPE, -0.2)
    return state_TK


def test_plans_are_scored_by_what_the_actor_does() -> None:
    truth_TK = listening_state(nod_frame=50)
    alike = score_plan(truth_TK, truth_TK, 32).scores
    assert alike == {axis: pytest.approx(0.0) for axis in ("mouth_closed", "nods", "reactions", "expression", "motion")}
    assert score_plan(listening_state(), truth_TK, 32).scores["nods"] == -1.0, "a nod is missed"
    assert score_plan(listening_state(nod_frame=75), truth_TK, 32).scores["nods"] == -2.0, "and another comes uncalled"
    frown_TK = truth_TK.copy()
    frown_TK[40:, channel("brow_left")] = 0.8
    assert score_plan(frown_TK, truth_TK, 32).scores["reactions"] < -0.1
    babble_TK = truth_TK.copy()
    babble_TK[40:, channel("mouth_open")] = 0.5
    assert score_plan(babble_TK, truth_TK, 32).scores["mouth_closed"] < -0.3
    babble_TK[40:, channel("lip_press")] = 1.0
    assert score_plan(babble_TK, truth_TK, 32).scores["mouth_closed"] == pytest.approx(0.0), "pressed lips hide it"
    still_TK = np.repeat(truth_TK[32:33], 96, axis=0)
    still, alive = score_plan(still_TK, truth_TK, 32), score_plan(truth_TK, truth_TK, 32)
    assert still.motion < 0.01 * alive.motion
    assert still.scores["motion"] < -1.0, "stillness does not please"
    before_TK = truth_TK.copy()
    before_TK[:32, channel("mouth_open")] = 1.0
    assert score_plan(before_TK, truth_TK, 32).scores["mouth_closed"] == pytest.approx(0.0), "history is not judged"


def test_votes_of_people_and_exact_measures_share_a_file(tmp_path: Path) -> None:
    pairs = [
        PreferencePair(scene="scene-1", winner=1, loser=0, judge="measures", scores={"winner": {"lips": 0.7}}),
        PreferencePair(scene="scene-1", winner=0, loser=2, judge="person:rater 3"),
    ]
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    assert read_pairs(tmp_path / "pairs.jsonl") == pairs


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("not json", "line 2"),
        ('{"format": 2}', "object of format 1"),
        ('{"format": 1, "scene": "../x", "winner": 0, "loser": 1, "judge": "measures"}', "no name of a scene"),
        ('{"format": 1, "scene": "a", "winner": 1, "loser": 1, "judge": "measures"}', "two candidates"),
        ('{"format": 1, "scene": "a", "winner": true, "loser": 0, "judge": "measures"}', "whole numbers"),
        ('{"format": 1, "scene": "a", "winner": 1, "loser": 0, "judge": "nobody"}', "person:NAME"),
        ('{"format": 1, "scene": "a", "winner": 1, "loser": 0, "judge": "measures", "extra": 1}', "extra"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    good = json.dumps({"format": 1, "scene": "a", "winner": 1, "loser": 0, "judge": "measures"})
    (tmp_path / "pairs.jsonl").write_text(f"{good}\n{line}\n")
    with pytest.raises(BadInputError, match=complaint):
        read_pairs(tmp_path / "pairs.jsonl")


def test_a_scene_must_hold_the_candidates(tmp_path: Path) -> None:
    pair = PreferencePair(scene="scene-1", winner=1, loser=0, judge="measures")
    with pytest.raises(BadInputError, match="cannot be read"):
        read_scene(tmp_path, pair, FILMS)
    write_scene(tmp_path, "scene-1", {FILMS: torch.zeros(1, 2, 3, 4, 4)})
    with pytest.raises(BadInputError, match="does not hold the candidates 1 and 0"):
        read_scene(tmp_path, pair, FILMS)
    with pytest.raises(BadInputError, match="holds no plans of motion"):
        read_scene(tmp_path, pair, PLANS)
