"""Feelings in a plan: films begin with the one that their picture shows, and go over into another as something that has mass does."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.characters import EXPRESSIONS
from engine.model.transformer import Transformer
from engine.motion.plan import MotionModel, plan_motion
from engine.motion.planner import OPENING_ROWS, MotionPlanner
from engine.motion.settings import MotionSettings
from engine.motion.smoothing import smoothed
from tests.engine.motion.test_plan import told
from tests.engine.small_pack import MOTION

WIDTH, FRAMES_PER_ROW = 2 + len(EXPRESSIONS), 2  # two numbers that are no feelings, and all eight expressions
HAPPY, SAD = (2 + EXPRESSIONS.index(name) for name in ("happy", "sad"))
SETTINGS = MotionSettings(
    rest=(0.5, -0.5, 1.0, *(0.0,) * (len(EXPRESSIONS) - 1)) * FRAMES_PER_ROW,
    least=(-2.0, -2.0, *(0.0,) * len(EXPRESSIONS)) * FRAMES_PER_ROW,
    most=(2.0, 2.0, *(1.0,) * len(EXPRESSIONS)) * FRAMES_PER_ROW,
    stiffness=(0.0,) * WIDTH,
    feelings=tuple(range(2, WIDTH)),
)
FELT_WITH_MASS = (0.0, 0.0, *(2.0,) * len(EXPRESSIONS))


def small_motion(**changes: object) -> MotionModel:
    """Nothing but its noise is what a network plans that has learned nothing; here it knows how far each number goes."""
    config = replace(MOTION, in_channels=FRAMES_PER_ROW * WIDTH, out_channels=FRAMES_PER_ROW * WIDTH)
    transformer = Transformer(config).eval().requires_grad_(False)
    return MotionModel(transformer=transformer, settings=replace(SETTINGS, **changes))  # type: ignore[arg-type]


def frames_of(rows_BFM: Tensor) -> Tensor:
    """Of one film, frame after frame."""
    return rows_BFM.reshape(-1, WIDTH)


def all_of_it(num_rows: int) -> Tensor:
    """Noise of which every number is planned as far as it goes."""
    return torch.full((1, num_rows, FRAMES_PER_ROW * WIDTH), 50.0)


def some_of_it(num_rows: int) -> Tensor:
    return torch.randn(1, num_rows, FRAMES_PER_ROW * WIDTH, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("feeling", ["happy", "contemptuous"])
def test_a_row_that_shows_a_feeling_is_at_rest_but_for_that(feeling: str) -> None:
    motion = small_motion()
    row_BM = motion.showing(feeling, batch=3)
    assert row_BM.shape == (3, FRAMES_PER_ROW * WIDTH) and torch.equal(row_BM[0], row_BM[2])
    wanted_K = torch.tensor([0.5, -0.5, *(float(name == feeling) for name in EXPRESSIONS)])
    assert all(torch.equal(frame_K, wanted_K) for frame_K in frames_of(row_BM))
    assert torch.equal(motion.rest(), torch.tensor([SETTINGS.rest])), "which stays as it is"


def test_a_row_that_shows_no_feeling_is_rest() -> None:
    assert torch.equal(small_motion().showing("neutral"), small_motion().rest())
    for unknowing in (small_motion(feelings=()), small_motion(least=(), most=())):
        assert torch.equal(unknowing.showing("happy", batch=2), unknowing.rest(2))


@pytest.mark.parametrize("stiffness", [0.0, 3.0])
def test_a_film_begins_with_what_its_first_picture_shows_and_goes_over_into_its_plan(stiffness: float) -> None:
    """Smoothed as if it had always been so, then eased: all of it, feelings too."""
    motion = small_motion(stiffness=(stiffness,) * WIDTH)
    planner, first_BM = MotionPlanner(motion, slack_rows=9), motion.showing("happy")
    planner.first_BM = first_BM
    asked = replace(told(), feeling="sad")
    planner.plan(asked, some_of_it(5))
    planned_BFM = planner._felt(plan_motion(motion, asked, motion.rest()[:, None], some_of_it(5)), "sad")
    smooth_FM = smoothed(planned_BFM, first_BM, motion.settings.stiffness)[0]
    share_T = torch.arange(1, 11) / (OPENING_ROWS * FRAMES_PER_ROW + 1)
    share_T = (3 * share_T**2 - 2 * share_T**3).where(share_T < 1.0, torch.ones(()))
    wanted_TK = torch.lerp(frames_of(first_BM)[:1], frames_of(smooth_FM), share_T[:, None])
    torch.testing.assert_close(frames_of(planner.planned(0)), wanted_TK)
    assert frames_of(planner.planned(0))[0, HAPPY] > 0.9
    at_rest = MotionPlanner(motion, slack_rows=9)
    at_rest.plan(asked, some_of_it(5))
    assert frames_of(at_rest.planned(0))[0, HAPPY] < 0.1


def test_a_feeling_that_the_first_picture_shows_is_not_wiped_from_it() -> None:
    motion = small_motion(stiffness=FELT_WITH_MASS)
    planner = MotionPlanner(motion, slack_rows=9)
    planner.first_BM = motion.showing("happy")
    for _ in range(3):
        planner.plan(replace(told(), feeling="happy"), all_of_it(2))
    happy_T = frames_of(planner.planned(0))[:, HAPPY]
    torch.testing.assert_close(happy_T, torch.ones_like(happy_T), rtol=0, atol=1e-4)


def test_an_opening_in_parts_goes_on_from_the_same_picture_whatever_is_told_next() -> None:
    """A direction that changes within half a second changes where it goes to, not where it came from."""
    motion = small_motion(stiffness=FELT_WITH_MASS)
    planner = MotionPlanner(motion, slack_rows=9)
    planner.first_BM = motion.showing("happy")
    for feeling in ("happy", "sad", "sad", "sad", "sad", "sad"):
        planner.plan(replace(told(), feeling=feeling), all_of_it(1))
    frames_TK = frames_of(torch.cat([planner.first_BM[:, None], planner.planned(0)], dim=1))[1:]
    assert frames_TK.diff(dim=0)[:, [HAPPY, SAD]].abs().max() < 0.45
    torch.testing.assert_close(frames_TK[-1, [HAPPY, SAD]], torch.tensor([0.0, 1.0]), rtol=0, atol=0.05)


@pytest.mark.parametrize(
    ("stiffness", "least_jump", "most_jump"), [((0.0,) * WIDTH, 0.99, 1.01), (FELT_WITH_MASS, 0.1, 0.45)]
)
def test_a_direction_that_changes_the_feeling_goes_over_into_it_where_feelings_have_mass(
    stiffness: tuple[float, ...], least_jump: float, most_jump: float
) -> None:
    """Within a third of a second, in a film that was long happy and is long sad; all else is planned the same."""
    motion = small_motion(stiffness=stiffness)
    planner = MotionPlanner(motion, slack_rows=20)
    planner.first_BM = motion.showing("happy")
    for feeling in ("happy", "happy", "sad", "sad"):
        planner.plan(replace(told(num_latents=20), feeling=feeling), all_of_it(5))
    frames_TK = frames_of(planner.planned(0))
    before, after = 2 * 5 * FRAMES_PER_ROW - 1, 2 * 5 * FRAMES_PER_ROW + 7
    assert least_jump < frames_TK.diff(dim=0)[:, [HAPPY, SAD]].abs().max() < most_jump
    for frame, wanted in ((before, [1.0, 0.0]), (after, [0.0, 1.0])):
        torch.testing.assert_close(frames_TK[frame, [HAPPY, SAD]], torch.tensor(wanted), rtol=0, atol=0.05)
    torch.testing.assert_close(frames_TK[after:, :2], torch.full_like(frames_TK[after:, :2], 2.0))
