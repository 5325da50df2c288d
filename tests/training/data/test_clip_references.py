"""Which references a training clip has: most often one of them shows what the film shows."""

import numpy as np

from training.actor.state import channel, resting_state
from training.data.clips import REFERENCE_NAMES, choose_references


def chosen_names(expression: str, seed: int) -> tuple[str, ...]:
    states_TK = resting_state(96)
    states_TK[30:, channel("expression_neutral")] = 0.0
    states_TK[30:, channel(f"expression_{expression}")] = 1.0
    return tuple(REFERENCE_NAMES[index] for index in choose_references(states_TK, np.random.default_rng(seed)))


def test_a_clip_has_the_global_reference_first_and_two_different_ones() -> None:
    for seed in range(40):
        names = chosen_names("sad", seed)
        assert names[0] == "global" and len(set(names)) == 3


def test_most_films_have_the_expression_that_they_show_but_not_all() -> None:
    shown = [f"expression_{name}" in chosen_names(name, seed) for seed in range(100) for name in ("happy", "angry")]
    assert 0.7 < np.mean(shown) < 0.95


def test_a_neutral_film_gets_bared_teeth_most_often() -> None:
    teeth = {f"expression_{name}" for name in ("happy", "surprised", "afraid", "disgusted")}
    assert np.mean([bool(teeth & set(chosen_names("neutral", seed))) for seed in range(100)]) > 0.75
