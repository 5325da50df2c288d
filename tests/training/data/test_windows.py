"""Windows for the base model: reproducible, aligned with their truth, and with the conditions they claim."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.references import ReferenceKind
from training.actor.state import NUM_CHANNELS, channel
from training.data.clips import REFERENCE_NAMES
from training.data.windows import (
    ClipFeatures,
    WindowConfig,
    WindowPlace,
    cut_window,
    place_of,
    reference_numbers,
    shown_references,
    window_batches,
)
from training.parallel import World

NUM_CLIPS, NUM_LATENTS = 3, 24
LONG = WindowConfig(num_latents=9, max_history_latents=3, no_history_share=0.15)
KEPT = replace(LONG, text_drop_share=0.0, speak_drop_share=0.0, listen_drop_share=0.0)


@pytest.fixture
def features() -> ClipFeatures:
    """Clips in which every number tells its own place: latent f is f, row a of a sound is a."""
    latents_F = torch.arange(NUM_LATENTS, dtype=torch.float16)
    frames_T = torch.arange(NUM_LATENTS * 4, dtype=torch.float16)
    grid = (NUM_CLIPS, NUM_LATENTS, 2, 2)
    return ClipFeatures(
        clips={
            "number": torch.arange(NUM_CLIPS),
            "latents_FCHW": latents_F[None, :, None, None, None].expand(NUM_CLIPS, -1, 3, 2, 2),
            "first_CHW": torch.full((NUM_CLIPS, 3, 2, 2), -7.0).half(),
            "altered_starts_N": torch.tensor([[2, 9, 16]]).expand(NUM_CLIPS, -1),
            "altered_NCHW": torch.full((NUM_CLIPS, 3, 3, 2, 2), -3.0).half(),
            "references_RCHW": torch.zeros(NUM_CLIPS, 3, 3, 2, 2).half(),
            "reference_indices_R": torch.tensor([[0, 2, 7]]).expand(NUM_CLIPS, -1),
            "state_TK": frames_T[None, :, None].expand(NUM_CLIPS, -1, NUM_CHANNELS),
            "mouth_FHW": torch.zeros(grid).half(),
            "eyes_FHW": torch.zeros(grid).half(),
            "text_of_latent_F": torch.tensor([0] * 12 + [1] * 12).expand(NUM_CLIPS, -1),
        },
        speak_NAD=torch.arange(24.0)[None, :, None].expand(NUM_CLIPS, -1, 2).half(),
        listen_NAD=(torch.arange(26.0) - 2)[None, :, None].expand(NUM_CLIPS, -1, 2).half(),
        text_NCLD=torch.tensor([1.0, 2.0, 0.0, 0.0])[None, :, None, None].expand(NUM_CLIPS, -1, 6, 2).half(),
    )


def window_of(features: ClipFeatures, config: WindowConfig, number: int) -> dict[str, torch.Tensor]:
    """Window `number` where steps take one sample."""
    return cut_window(features, config, number, place_of(features, config, number, 1))


def test_a_window_is_a_pure_function_of_its_number(features: ClipFeatures) -> None:
    first, again = window_of(features, LONG, 11), window_of(features, LONG, 11)
    assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("number", range(40))
def test_sound_state_and_latents_of_a_window_lie_at_the_same_place(features: ClipFeatures, number: int) -> None:
    window = window_of(features, KEPT, number)
    start = int(window["latents_FCHW"][1, 0, 0, 0]) - 1
    assert window["state_TK"][0, 0] == start * 4
    assert window["speak_AD"][0, 0] == start
    assert window["speak_AD"].shape == (9, 2)
    assert window["listen_AD"][2, 0] == start, "two rows of history stand in front"
    assert window["listen_AD"].shape == (11, 2)
    middle = start + (int(window["history"]) + 9) // 2
    assert window["text_SD"][0, 0] == (1.0 if middle < 12 else 2.0)


def test_dropped_conditions_are_zeros(features: ClipFeatures) -> None:
    window = window_of(features, replace(KEPT, text_drop_share=1.0, speak_drop_share=1.0, listen_drop_share=1.0), 3)
    assert not any(window[name].any() for name in ("text_SD", "speak_AD", "listen_AD"))


def test_history_is_sometimes_absent_and_never_too_long(features: ClipFeatures) -> None:
    histories = [int(window_of(features, LONG, number)["history"]) for number in range(200)]
    assert set(histories) == {0, 1, 2, 3}
    assert 10 < histories.count(0) < 60


def test_some_windows_begin_with_another_expression(features: ClipFeatures) -> None:
    config = replace(WindowConfig(), altered_share=1.0, rollout_windows=1)
    windows = [window_of(features, config, number) for number in range(40)]
    assert all(window["history"] == 1 and window["latents_FCHW"][0, 0, 0, 0] == -3.0 for window in windows)
    assert {int(window["latents_FCHW"][1, 0, 0, 0]) - 1 for window in windows} == {2, 9, 16}


def test_windows_follow_on_each_other_within_a_run_of_steps_and_stay_inside_their_clip(features: ClipFeatures) -> None:
    config = WindowConfig(rollout_windows=5)
    step_samples = 6
    for slot in range(step_samples):
        places = [place_of(features, config, step * step_samples + slot, step_samples) for step in range(5, 15)]
        assert not places[0].follows and not places[5].follows, "a run begins at every fifth step"
        for before, place in itertools.pairwise(places):
            if place.follows:
                assert (place.clip, place.start) == (before.clip, before.start + 3)
            assert place.start < NUM_LATENTS - 4
    followers = [place_of(features, config, number, step_samples).follows for number in range(300)]
    assert 0.4 < sum(followers) / len(followers) < 0.8


def test_own_history_is_asked_for_only_where_a_window_follows(features: ClipFeatures) -> None:
    config = replace(WindowConfig(), own_history_share=1.0)
    for follows in (True, False):
        window = cut_window(features, config, 3, WindowPlace(clip=0, start=4, follows=follows))
        assert bool(window["own_history"]) is follows


def test_some_windows_begin_with_the_portrait_whatever_came_before(features: ClipFeatures) -> None:
    place, told = WindowPlace(clip=0, start=4, follows=True), {"motion_drop_share": 0.0, "own_history_share": 1.0}
    portrait = cut_window(features, WindowConfig(portrait_share=1.0, **told), 3, place)
    plain = cut_window(features, WindowConfig(portrait_share=0.0, **told), 3, place)
    assert (portrait["latents_FCHW"][0] == 0).all() and (plain["latents_FCHW"][0] == 4).all(), (
        "a reference is all zeros here"
    )
    assert not portrait["own_history"] and plain["own_history"]
    assert not portrait["motion_FM"][0].any() and plain["motion_FM"][0].any(), "nobody planned what led to a portrait"
    for name in ("latents_FCHW", "motion_FM"):
        assert torch.equal(portrait[name][1:], plain[name][1:])


def test_a_batch_has_extra_references_in_all_of_its_samples_or_in_none(features: ClipFeatures) -> None:
    batches = window_batches(features, LONG, 0, 4, World(rank=0, size=1))
    counts = [next(batches)["references_RCHW"].shape[1] for _ in range(60)]
    assert set(counts) == {1, 2}
    assert 5 < counts.count(2) < 35


def test_ranks_share_the_samples_of_a_step(features: ClipFeatures) -> None:
    whole = next(window_batches(features, KEPT, 100, 4, World(rank=0, size=1)))
    halves = [next(window_batches(features, KEPT, 100, 2, World(rank=rank, size=2))) for rank in (0, 1)]
    assert torch.equal(whole["latents_FCHW"][0::2], halves[0]["latents_FCHW"])
    assert torch.equal(whole["latents_FCHW"][1::2], halves[1]["latents_FCHW"])


def test_reference_numbers_follow_their_names() -> None:
    kinds, subtypes = reference_numbers(torch.arange(len(REFERENCE_NAMES)))
    assert kinds.tolist() == [ReferenceKind.GLOBAL] + [ReferenceKind.VIEW] * 4 + [ReferenceKind.EXPRESSION] * 8
    assert subtypes.tolist() == [0, 0, 1, 2, 3, *range(8)]


def test_a_window_needs_room_for_something_new() -> None:
    with pytest.raises(ValueError, match="something new"):
        WindowConfig(num_latents=3, max_history_latents=3)


def showing(expression: str, intensity: float) -> torch.Tensor:
    states = torch.zeros(12, NUM_CHANNELS)
    states[:, channel(f"expression_{expression}")] = intensity
    return states


def test_a_film_stays_near_the_expression_that_it_shows() -> None:
    indices = torch.tensor([REFERENCE_NAMES.index(name) for name in ("global", "view_left", "expression_sad")])
    for seed in range(8):
        shown = shown_references(indices, showing("sad", 0.8), np.random.default_rng(seed))
        fields = shown.fields(torch.arange(3.0)[:, None, None, None])
        assert fields["references_RCHW"].flatten().tolist() == [0.0, 2.0]
        assert int(fields["anchor"]) == 1
        assert fields["subtypes_R"].tolist() == [0, 2]


@pytest.mark.parametrize(("expression", "intensity"), [("happy", 0.9), ("sad", 0.1), ("neutral", 1.0)])
def test_without_an_expression_or_its_picture_the_global_one_is_the_anchor(expression: str, intensity: float) -> None:
    indices = torch.tensor([REFERENCE_NAMES.index(name) for name in ("global", "view_left", "expression_sad")])
    shown = [
        shown_references(indices, showing(expression, intensity), np.random.default_rng(seed)) for seed in range(8)
    ]
    assert {each.anchor for each in shown} == {0}
    assert {each.places for each in shown} == {(0, 1), (0, 2)}
