"""Pairs: only by dominance, only where both move alike, and through a file that people's votes fit in."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.errors import BadInputError
from training.dpo.pairs import CANDIDATES, PreferencePair, read_pairs, read_scene, write_pairs
from training.dpo.pareto import Candidate, ParetoConfig, dominates, winning_pairs
from training.dpo.scores import mouth_scores

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
        read_scene(tmp_path, pair)
    (tmp_path / "scenes").mkdir()
    save_file({CANDIDATES: torch.zeros(1, 2, 3, 4, 4)}, tmp_path / "scenes" / "scene-1.safetensors")
    with pytest.raises(BadInputError, match="does not hold the candidates 1 and 0"):
        read_scene(tmp_path, pair)
