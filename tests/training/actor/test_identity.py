"""Identities: the same from the same seed, well spread, and readable as numbers."""

from collections import Counter
from dataclasses import fields

import numpy as np
import pytest

from training.actor.draw import draw_frame
from training.actor.drawing.palette import contrast, luminance
from training.actor.identity import (
    BEARDS,
    CLOTHES,
    GLASSES,
    HAIR_STYLES,
    HATS,
    Identity,
    identity_vector,
    sample_identity,
    sibling,
)
from training.actor.references import draw_references
from training.actor.state import resting_state

MANY = [sample_identity(seed) for seed in range(400)]


def test_a_seed_is_one_person() -> None:
    sample_identity.cache_clear()
    first = sample_identity(17)
    sample_identity.cache_clear()
    assert sample_identity(17) == first
    assert sample_identity(18) != first


@pytest.mark.parametrize(
    ("trait", "choices"),
    [("hair_style", HAIR_STYLES), ("beard", BEARDS), ("glasses", GLASSES), ("hat", HATS), ("clothes", CLOTHES)],
)
def test_every_choice_occurs(trait: str, choices: tuple[str, ...]) -> None:
    counts = Counter(getattr(identity, trait) for identity in MANY)
    assert set(counts) == set(choices)
    assert min(counts.values()) >= 8


def test_skin_tones_span_a_wide_range_evenly() -> None:
    tones = np.array([luminance(identity.skin) for identity in MANY])
    assert tones.min() < 0.3
    assert tones.max() > 0.85
    counts, _ = np.histogram(tones, bins=5, range=(float(tones.min()), float(tones.max())))
    assert counts.min() >= 0.08 * len(MANY)


def test_brows_stand_out_against_the_skin() -> None:
    assert min(contrast(identity.brow, identity.skin) for identity in MANY) > 0.12


def test_the_vector_has_one_length_and_tells_people_apart() -> None:
    vectors = np.stack([identity_vector(identity) for identity in MANY[:100]])
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2) + 10.0 * np.eye(100)
    assert distances.min() > 0.5


@pytest.mark.parametrize("seed", range(5))
def test_a_sibling_differs_in_one_trait_that_can_be_seen(seed: int) -> None:
    identity = sample_identity(seed)
    other = sibling(identity, seed + 100)
    changed = [
        field.name
        for field in fields(Identity)
        if field.name != "seed" and getattr(identity, field.name) != getattr(other, field.name)
    ]
    assert len(changed) == 1
    assert sibling(identity, seed + 100) == other
    mine, theirs = draw_references(identity, 64), draw_references(other, 64)
    assert max(int(np.abs(mine[key].astype(int) - theirs[key]).max()) for key in mine) > 12, changed


def test_two_people_look_different() -> None:
    pictures = [draw_frame(identity, resting_state(1)[0], 48).astype(int) for identity in MANY[:16]]
    for index, first in enumerate(pictures):
        for second in pictures[index + 1 :]:
            assert np.abs(first - second).mean() > 3.0
