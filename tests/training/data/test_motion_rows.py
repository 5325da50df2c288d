"""Motion rows are the actor's state in other units, and pieces of performances are reproducible, aligned and shared between processes."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.model.transformer import Transformer
from engine.motion.plan import MotionModel
from training.actor.references import expression_state
from training.actor.state import EXPRESSIONS, NUM_CHANNELS, STATE_CHANNELS, channel, resting_state
from training.data.motion_rows import (
    FARTHEST,
    FRAMES_PER_ROW,
    MEAN_AND_SPREAD,
    ROW_WIDTH,
    motion_rows,
    rest_row,
    row_bounds,
    shown_row,
    states_of,
)
from training.data.motion_windows import MOST_ROWS_LATE, MotionWindowConfig, cut_pieces, motion_batches, num_heard_rows
from training.data.windows import LISTEN_HISTORY_ROWS, ClipFeatures, WindowConfig, WindowPlace, cut_window
from training.parallel import World
from training.recipes.parts import MOTION, MOTION_SETTINGS

NUM_CLIPS, NUM_LATENTS, HEARD = 3, 24, 20
ALONE = World(rank=0, size=1)
SMALL_MOTION = replace(MOTION, dim=24, ffn_dim=32, num_layers=1, num_heads=2)
KEPT = MotionWindowConfig(change_share=0.0, text_drop_share=0.0, speak_drop_share=0.0, listen_drop_share=0.0)
TOLD = ("text_SD", "speak_AD", "listen_AD")


@pytest.fixture
def features() -> ClipFeatures:
    """Clips in which every number tells its own place; of the last latents no sound is there."""
    frames_T = torch.arange(NUM_LATENTS * FRAMES_PER_ROW).float()
    grid = (NUM_CLIPS, NUM_LATENTS, 2, 2)
    return ClipFeatures(
        clips={
            "number": torch.arange(NUM_CLIPS),
            "latents_FCHW": torch.zeros(NUM_CLIPS, NUM_LATENTS, 3, 2, 2),
            "first_CHW": torch.zeros(NUM_CLIPS, 3, 2, 2),
            "altered_starts_N": torch.tensor([[2, 9]]).expand(NUM_CLIPS, -1),
            "altered_NCHW": torch.zeros(NUM_CLIPS, 2, 3, 2, 2),
            "references_RCHW": torch.zeros(NUM_CLIPS, 3, 3, 2, 2),
            "reference_indices_R": torch.tensor([[0, 2, 7]]).expand(NUM_CLIPS, -1),
            "state_TK": frames_T[None, :, None].expand(NUM_CLIPS, -1, NUM_CHANNELS),
            "mouth_FHW": torch.zeros(grid),
            "eyes_FHW": torch.zeros(grid),
            "text_of_latent_F": torch.tensor([0] * 12 + [1] * 12).expand(NUM_CLIPS, -1),
        },
        speak_NAD=1 + torch.arange(float(HEARD))[None, :, None].expand(NUM_CLIPS, -1, 2),
        listen_NAD=1 + (torch.arange(HEARD + 2.0) - LISTEN_HISTORY_ROWS)[None, :, None].expand(NUM_CLIPS, -1, 2),
        text_NCLD=torch.tensor([1.0, 2.0])[None, :, None, None].expand(NUM_CLIPS, -1, 6, 2),
    )


def test_rows_and_states_are_each_others_inverse() -> None:
    states_BTK = torch.randn(2, 12, NUM_CHANNELS, generator=torch.Generator().manual_seed(0))
    rows_BFM = motion_rows(states_BTK)
    assert rows_BFM.shape == (2, 3, ROW_WIDTH)
    torch.testing.assert_close(states_of(rows_BFM), states_BTK)
    torch.testing.assert_close(motion_rows(states_of(rows_BFM)), rows_BFM)


def test_a_rows_bounds_are_how_far_each_channel_goes() -> None:
    """Rest lies within; lids close no further than closed, heads turn to both sides."""
    least_M, most_M = row_bounds()
    assert least_M.shape == most_M.shape == (ROW_WIDTH,)
    assert ((least_M - 1e-6 <= rest_row()) & (rest_row() <= most_M + 1e-6)).all()
    lowest_TK, highest_TK = states_of(least_M[None]), states_of(most_M[None])
    assert lowest_TK.shape == (FRAMES_PER_ROW, NUM_CHANNELS)
    for name, (low, high) in {"blink": (0.0, 1.0), "mouth_open": (0.0, 1.0), "yaw": (-0.38, 0.38)}.items():
        torch.testing.assert_close(lowest_TK[:, channel(name)], torch.full((FRAMES_PER_ROW,), low), atol=1e-5, rtol=0)
        torch.testing.assert_close(highest_TK[:, channel(name)], torch.full((FRAMES_PER_ROW,), high), atol=1e-5, rtol=0)
    beyond = [name for name, (low, high) in FARTHEST.items() if not low < 0 < high]
    assert not beyond and set(FARTHEST) < set(STATE_CHANNELS)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_what_a_picture_is_taken_to_show_is_what_it_was_drawn_from(name: str) -> None:
    """In the engine, by the settings of a plan, as in training; and a plan that shows it wholly is told the same."""
    shown_M = shown_row(name)
    drawn_K = torch.from_numpy(expression_state(name))
    torch.testing.assert_close(states_of(shown_M[None]), drawn_K.expand(FRAMES_PER_ROW, -1), rtol=0, atol=1e-5)
    motion = MotionModel(transformer=Transformer(SMALL_MOTION), settings=MOTION_SETTINGS)
    torch.testing.assert_close(motion.showing(name)[0], shown_M, rtol=0, atol=1e-3)
    torch.testing.assert_close(motion.drawn(motion.showing(name)), motion.showing(name), rtol=0, atol=1e-3)
    assert torch.equal(shown_row("neutral"), rest_row())


def test_heads_are_drawn_no_farther_round_than_the_pose_flow_turns_them_whole() -> None:
    """Plans turn them farther; nothing else of a body is held back."""
    motion = MotionModel(transformer=Transformer(SMALL_MOTION), settings=MOTION_SETTINGS)
    farthest_M = row_bounds()[1]
    states_TK = states_of(motion.drawn(farthest_M[None, None])[0])
    assert states_of(farthest_M[None])[:, channel("yaw")].min() > 0.35
    assert states_TK[:, channel("yaw")].max() < 0.31
    for name in ("pitch", "roll", "lean", "sway"):
        planned_T = states_of(farthest_M[None])[:, channel(name)]
        torch.testing.assert_close(states_TK[:, channel(name)], planned_T, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["blink", "breath", "expression_sad"])
def test_a_row_holds_its_frames_one_after_another_in_units_of_their_spread(name: str) -> None:
    states_TK = torch.zeros(8, NUM_CHANNELS)
    states_TK[:, channel(name)] = torch.arange(8.0)
    mean, spread = MEAN_AND_SPREAD[name]
    places = [frame * NUM_CHANNELS + channel(name) for frame in range(FRAMES_PER_ROW)]
    wanted_FT = (torch.arange(8.0).reshape(2, FRAMES_PER_ROW) - mean) / spread
    torch.testing.assert_close(motion_rows(states_TK)[:, places], wanted_FT)


def test_every_channel_has_its_units_and_rest_is_the_resting_state() -> None:
    assert set(MEAN_AND_SPREAD) == set(STATE_CHANNELS)
    assert all(spread > 0 for _, spread in MEAN_AND_SPREAD.values())
    assert rest_row().shape == (ROW_WIDTH,)
    rested_TK = states_of(rest_row()[None])
    torch.testing.assert_close(rested_TK, torch.from_numpy(resting_state(FRAMES_PER_ROW)), rtol=0, atol=1e-6)


# ---------------------------------------------------------------- pieces of performances


def first_row(motion_FM: Tensor) -> int:
    """The latent whose row this begins with."""
    return round(float(states_of(motion_FM[:1])[0, 0])) // FRAMES_PER_ROW


@pytest.mark.parametrize("history", [1, 5, 8])
def test_motion_words_and_sound_of_a_piece_lie_at_the_same_place(features: ClipFeatures, history: int) -> None:
    config, new = replace(KEPT, rest_share=0.0), 3
    batch = cut_pieces(features, config, list(range(150)), history, new)
    assert batch["history"].tolist() == [history] * 150
    starts = set()
    for motion_FM, text_SD, speak_AD, listen_AD in zip(
        batch["motion_FM"], *(batch[name] for name in TOLD), strict=True
    ):
        start = first_row(motion_FM)
        starts.add(start)
        frames_T = torch.arange(start * FRAMES_PER_ROW, (start + history + new) * FRAMES_PER_ROW).float()
        torch.testing.assert_close(states_of(motion_FM)[:, 0], frames_T, rtol=0, atol=1e-3)
        assert (speak_AD[:, 0] - 1).tolist() == list(range(start, start + history + new))
        assert (listen_AD[:, 0] - 1).tolist() == list(range(start - 2, start + history + new))
        assert text_SD[0, 0] == (1.0 if start + history + 1 < 12 else 2.0), "the words of the middle of what is new"
    assert starts == set(range(HEARD - history - new + 1)), "all that is heard, and nothing else"
    assert num_heard_rows(features) == HEARD


def test_a_single_row_of_history_is_often_the_row_of_rest(features: ClipFeatures) -> None:
    batch = cut_pieces(features, KEPT, list(range(100)), 1, 3)
    is_rest_B = (batch["motion_FM"][:, 0] == rest_row()).all(dim=1)
    assert 30 < int(is_rest_B.sum()) < 70
    assert not (batch["motion_FM"][:, 1] == rest_row()).all(dim=1).any()
    longer = cut_pieces(features, KEPT, list(range(100)), 2, 3)
    assert not (longer["motion_FM"] == rest_row()).all(dim=2).any()


@pytest.mark.parametrize("history", [1, 5, 8])
def test_pieces_are_cut_where_another_direction_begins(features: ClipFeatures, history: int) -> None:
    new, change = 3, 12
    batch = cut_pieces(features, replace(KEPT, change_share=1.0, rest_share=0.0), list(range(100)), history, new)
    first_new = {first_row(motion_FM) + history for motion_FM in batch["motion_FM"]}
    assert first_new == set(range(change - 1, change + MOST_ROWS_LATE + 1))
    assert (batch["text_SD"][:, 0, 0] == 2.0).all(), "what is told is the new direction"


def test_where_nothing_changes_pieces_are_cut_anywhere(features: ClipFeatures) -> None:
    features.clips["text_of_latent_F"] = torch.zeros(NUM_CLIPS, NUM_LATENTS, dtype=torch.long)
    batch = cut_pieces(features, replace(KEPT, change_share=1.0), list(range(150)), 8, 3)
    assert {first_row(motion_FM) for motion_FM in batch["motion_FM"]} == set(range(HEARD - 11 + 1))


@pytest.mark.parametrize("name", TOLD)
def test_dropped_conditions_are_zeros_and_the_others_are_there(features: ClipFeatures, name: str) -> None:
    config = replace(KEPT, **{f"{name.split('_')[0]}_drop_share": 1.0})
    batch = cut_pieces(features, config, list(range(8)), 4, 3)
    assert not batch[name].any()
    assert all(batch[other].flatten(1).any(dim=1).all() for other in TOLD if other != name)
    partly = cut_pieces(features, MotionWindowConfig(), list(range(200)), 4, 3)
    assert 5 < int((~partly[name].flatten(1).any(dim=1)).sum()) < 40


def test_batches_follow_from_their_first_sample_alone(features: ClipFeatures) -> None:
    straight = list(itertools.islice(motion_batches(features, KEPT, 0, 4, ALONE), 6))
    later = list(itertools.islice(motion_batches(features, KEPT, 12, 4, ALONE), 3))
    for one, other in zip(straight[3:], later, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(straight[0]["speak_AD"][:, 0], straight[1]["speak_AD"][:, 0])


def test_processes_share_the_samples_of_a_step(features: ClipFeatures) -> None:
    whole = list(itertools.islice(motion_batches(features, MotionWindowConfig(), 100, 4, ALONE), 4))
    halves = [
        list(itertools.islice(motion_batches(features, MotionWindowConfig(), 100, 2, World(rank=rank, size=2)), 4))
        for rank in (0, 1)
    ]
    for step, batch in enumerate(whole):
        for rank in (0, 1):
            assert all(torch.equal(batch[name][rank::2], halves[rank][step][name]) for name in batch)


def test_most_pieces_follow_on_a_full_history_and_the_others_on_less(features: ClipFeatures) -> None:
    batches = list(itertools.islice(motion_batches(features, KEPT, 0, 1, ALONE), 200))
    histories = [int(batch["history"][0]) for batch in batches]
    assert set(histories) == set(range(1, 9))
    assert 0.5 < histories.count(8) / 200 < 0.7
    lengths = {batch["motion_FM"].shape[1] - int(batch["history"][0]) for batch in batches}
    assert lengths == {2, 3, 6}


# ---------------------------------------------------------------- windows for the base model


SHOWN = WindowConfig(motion_drop_share=0.0, motion_noise=0.0)


@pytest.mark.parametrize("start", [1, 7])
def test_a_window_is_told_the_motion_of_its_own_latents(features: ClipFeatures, start: int) -> None:
    window = cut_window(features, SHOWN, 3, WindowPlace(clip=0, start=start, follows=True))
    assert torch.equal(window["motion_FM"], motion_rows(window["state_TK"]))
    assert first_row(window["motion_FM"]) == start
    noisy = cut_window(features, replace(SHOWN, motion_noise=0.2), 3, WindowPlace(clip=0, start=start, follows=True))
    assert 0.1 < (noisy["motion_FM"] - window["motion_FM"]).std() < 0.3
    assert torch.equal(noisy["state_TK"], window["state_TK"])


def test_models_that_are_told_none_get_zeros(features: ClipFeatures) -> None:
    windows = [
        cut_window(features, replace(SHOWN, motion_drop_share=share), number, WindowPlace(clip=0, start=3))
        for share in (1.0, 0.3)
        for number in range(60)
    ]
    is_told = [bool(window["motion_FM"].any()) for window in windows]
    assert not any(is_told[:60])
    assert 30 < sum(is_told[60:]) < 55
    assert not cut_window(features, WindowConfig(), 3, WindowPlace(clip=0, start=3))["motion_FM"].any()


@pytest.mark.parametrize("place", [WindowPlace(clip=0, start=0), WindowPlace(clip=0, start=9, altered=1)])
def test_of_a_still_before_the_window_no_motion_is_told(features: ClipFeatures, place: WindowPlace) -> None:
    window = cut_window(features, replace(SHOWN, motion_noise=0.1), 3, place)
    assert not window["motion_FM"][0].any()
    assert window["motion_FM"][1:].any(dim=1).all()
