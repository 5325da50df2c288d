"""A plan of motion against the same formulas in a plain loop, and a film's rows: numbered, bounded, taken back, kept in a file."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.characters import EXPRESSIONS
from engine.errors import BadInputError
from engine.flow.guidance import GuidanceScales
from engine.model.transformer import DitInputs, Transformer
from engine.motion.plan import MotionModel, MotionTold, motion_velocity, plan_motion
from engine.motion.planner import OPENING_ROWS, MotionPlanner
from engine.motion.settings import MotionSettings
from engine.posing.turning import FACING, TurnGoal
from engine.references import ReferenceLatents
from tests.engine.small_pack import MOTION, MOTION_SETTINGS, ROW_WIDTH

FEELING = MotionSettings(  # rows of two frames of ten numbers each: eight expressions behind two that are none
    rest=tuple(map(float, range(2 * (2 + len(EXPRESSIONS))))),
    stiffness=(0.0,) * (2 + len(EXPRESSIONS)),
    feelings=tuple(range(2, 2 + len(EXPRESSIONS))),
)


@pytest.fixture(scope="module")
def motion() -> MotionModel:
    """Random everywhere, also where training starts from zero."""
    torch.manual_seed(0)
    transformer = Transformer(MOTION).eval().requires_grad_(False)
    for parameter in transformer.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return MotionModel(transformer=transformer, settings=replace(MOTION_SETTINGS, num_steps=3, shift=2.0))


def told(batch: int = 1, num_latents: int = 9, seed: int = 0) -> MotionTold:
    generator = torch.Generator().manual_seed(seed)
    return MotionTold(
        text_BSD=torch.randn(batch, 5, MOTION.text_dim, generator=generator),
        speak_BAD=torch.randn(batch, 4 * num_latents, MOTION.speak_dim, generator=generator),
        listen_BAD=torch.randn(batch, 2 * num_latents, MOTION.listen_dim, generator=generator),
        speak_start_row=-2,
        listen_start_row=-5,
        no_text_BSD=torch.randn(1, 5, MOTION.text_dim, generator=generator),
    )


def noise(num_rows: int, seed: int = 0, batch: int = 1) -> Tensor:
    return torch.randn(batch, num_rows, ROW_WIDTH, generator=torch.Generator().manual_seed(seed))


def written_out(motion: MotionModel, given: MotionTold, history_BFM: Tensor, noise_BFM: Tensor) -> Tensor:
    """Karras et al.'s preconditioning on flow matching's path for data of spread one, three conditions in turn, Euler's steps."""
    scales, shift, steps = motion.settings.guidance, motion.settings.shift, motion.settings.num_steps
    assert given.no_text_BSD is not None
    no_text_BSD = given.no_text_BSD.expand_as(given.text_BSD)
    no_speak_BAD, no_listen_BAD = torch.zeros_like(given.speak_BAD), torch.zeros_like(given.listen_BAD)
    even = [1 - step / steps for step in range(steps + 1)]
    sigmas = [shift * each / (1 + (shift - 1) * each) for each in even]
    x_BFM = noise_BFM
    for sigma, following in itertools.pairwise(sigmas):
        spread = ((1 - sigma) ** 2 + sigma**2) ** 0.5

        def velocity(text_BSD: Tensor, speak_BAD: Tensor, listen_BAD: Tensor) -> Tensor:
            seen_BFM = torch.cat([history_BFM, x_BFM / spread], dim=1)  # noqa: B023 - called at once
            timestep_BF = torch.zeros(seen_BFM.shape[:2])
            timestep_BF[:, history_BFM.shape[1] :] = 1000 * sigma  # noqa: B023
            latents_BFCHW = seen_BFM[..., None, None]
            output = motion.transformer(
                DitInputs(
                    latents_BFCHW=latents_BFCHW,
                    timestep_BF=timestep_BF,
                    references=ReferenceLatents.none_for(latents_BFCHW),
                    text_BSD=text_BSD,
                    speak_BAD=speak_BAD,
                    listen_BAD=listen_BAD,
                    speak_start_row=given.speak_start_row,
                    listen_start_row=given.listen_start_row,
                )
            )[:, history_BFM.shape[1] :, :, 0, 0]
            return (2 * sigma - 1) / spread**2 * x_BFM - output / spread  # noqa: B023

        nothing = velocity(no_text_BSD, no_speak_BAD, no_listen_BAD)
        text = velocity(given.text_BSD, no_speak_BAD, no_listen_BAD)
        speak = velocity(given.text_BSD, given.speak_BAD, no_listen_BAD)
        listen = velocity(given.text_BSD, given.speak_BAD, given.listen_BAD)
        guided = nothing + scales.text * (text - nothing) + scales.speak * (speak - text)
        x_BFM = x_BFM + (following - sigma) * (guided + scales.listen * (listen - speak))
    return x_BFM.clamp(-motion.settings.limit, motion.settings.limit)


@pytest.mark.parametrize(("history", "batch"), [(1, 1), (4, 2)])
def test_a_plan_is_its_formulas_written_out(motion: MotionModel, history: int, batch: int) -> None:
    guided = replace(
        motion, settings=replace(motion.settings, guidance=GuidanceScales(text=1.3, speak=1.7, listen=2.0))
    )
    history_BFM = noise(history, seed=5, batch=batch)
    rows = plan_motion(guided, told(batch), history_BFM, noise(3, batch=batch))
    wanted = written_out(guided, told(batch), history_BFM, noise(3, batch=batch))
    assert rows.shape == (batch, 3, ROW_WIDTH)
    torch.testing.assert_close(rows, wanted, rtol=1e-3, atol=1e-3)


def test_a_velocity_is_that_of_the_data_it_was_trained_on() -> None:
    """Were the network right about rows of spread one that know nothing of each other, it would answer zero: then the velocity is
    the best guess (2s - 1) / D x of noise minus data, which least squares finds too."""
    torch.manual_seed(0)
    clean_BFM, noise_BFM = torch.randn(2, 4000, 1, ROW_WIDTH)

    class Nothing(Transformer):
        def forward(self, inputs: DitInputs) -> Tensor:
            seen = inputs.latents_BFCHW
            assert seen.std() == pytest.approx(1.0, abs=0.02)
            return torch.zeros_like(seen)

    for sigma in (0.1, 0.5, 0.9):
        noisy_BFM = (1 - sigma) * clean_BFM + sigma * noise_BFM
        latents_BFCHW = noisy_BFM[..., None, None]
        given = told(batch=1)
        inputs = DitInputs(
            latents_BFCHW=latents_BFCHW,
            timestep_BF=torch.full((4000, 1), 1000 * sigma),
            references=ReferenceLatents.none_for(latents_BFCHW),
            text_BSD=given.text_BSD,
            speak_BAD=given.speak_BAD,
            listen_BAD=given.listen_BAD,
        )
        slope = float((noisy_BFM * (noise_BFM - clean_BFM)).sum() / noisy_BFM.square().sum())
        guessed_BFM = motion_velocity(Nothing(MOTION), inputs)
        torch.testing.assert_close(guessed_BFM, slope * noisy_BFM, rtol=0, atol=0.1)


def test_guidance_of_one_costs_one_branch_a_step(motion: MotionModel, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    forward = motion.transformer.forward

    def counted(inputs: DitInputs) -> Tensor:
        batches.append(len(inputs.latents_BFCHW))
        return forward(inputs)

    monkeypatch.setattr(motion.transformer, "forward", counted)
    plan_motion(motion, told(), noise(2), noise(3), GuidanceScales())
    assert batches == [1] * 3
    batches.clear()
    plan_motion(motion, told(), noise(2), noise(3), GuidanceScales(text=2.0, speak=3.0, listen=4.0))
    assert sum(batches) == 4 * 3


def test_each_condition_and_the_history_move_the_plan(motion: MotionModel) -> None:
    plain = plan_motion(motion, told(), noise(2, seed=1), noise(3))
    assert torch.equal(plain, plan_motion(motion, told(), noise(2, seed=1), noise(3)))
    other = told(seed=9)
    for changed in (
        replace(told(), text_BSD=other.text_BSD),
        replace(told(), speak_BAD=other.speak_BAD),
        replace(told(), listen_BAD=other.listen_BAD),
        replace(told(), speak_start_row=-6),
        replace(told(), listen_start_row=-7),
    ):
        assert not torch.allclose(plain, plan_motion(motion, changed, noise(2, seed=1), noise(3)), atol=1e-4)
    assert not torch.allclose(plain, plan_motion(motion, told(), noise(2, seed=2), noise(3)), atol=1e-4)
    assert not torch.allclose(plain, plan_motion(motion, told(), noise(2, seed=1), noise(3, seed=1)), atol=1e-4)


def test_rows_stay_within_the_limit(motion: MotionModel) -> None:
    narrow = replace(motion, settings=replace(motion.settings, limit=0.1))
    rows = plan_motion(narrow, told(), noise(2), noise(3))
    assert rows.abs().max() == pytest.approx(0.1)


def test_each_number_of_a_row_stays_within_its_own_bounds(motion: MotionModel) -> None:
    """And one that would stay within them anyway is what it would be without."""
    free = plan_motion(motion, told(), noise(2), noise(3))
    least_M, most_M = free.amin(dim=(0, 1)).clone(), free.amax(dim=(0, 1)).clone()
    most_M[1], least_M[3] = free[0, :, 1].mean(), free[0, :, 3].mean()
    bounds = {"least": tuple(least_M.tolist()), "most": tuple(most_M.tolist())}
    rows = plan_motion(replace(motion, settings=replace(motion.settings, **bounds)), told(), noise(2), noise(3))
    assert rows[..., 1].max() == pytest.approx(float(most_M[1]))
    assert rows[..., 3].min() == pytest.approx(float(least_M[3]))
    assert torch.equal(rows[..., [0, 2, 4]], free[..., [0, 2, 4]])
    narrow = replace(motion, settings=replace(motion.settings, limit=0.01, **bounds))
    inner = plan_motion(narrow, told(), noise(2), noise(3)).clamp(least_M, most_M)
    assert torch.equal(plan_motion(narrow, told(), noise(2), noise(3)), inner), "bounds come last"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rest": ()}, "rest is empty"),
        ({"least": (0.0,) * 5}, "least and most have 5 and 0 numbers, a row of rest 5"),
        ({"most": (0.0,) * 5}, "least and most have 0 and 5 numbers"),
        ({"least": (0.0,) * 4, "most": (0.0,) * 4}, "least and most have 4 and 4 numbers"),
        ({"least": (0.0, 0.0, 0.5, 0.0, 0.0), "most": (0.0, 0.0, 0.4, 0.0, 0.0)}, "least holds numbers above"),
        ({"least": (0.0,) * 5, "most": (0.0, 0.0, float("nan"), 0.0, 0.0)}, "least holds numbers above"),
        ({"rest": (0.0, float("nan"))}, "none"),
        ({"history_rows": 0}, "history_rows"),
        ({"num_steps": 0}, "num_steps"),
        ({"shift": float("nan")}, "shift"),
        ({"limit": float("inf")}, "limit"),
    ],
)
def test_settings_that_cannot_be_are_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(MOTION_SETTINGS, **changed)  # type: ignore[arg-type]


def test_a_row_of_rest_is_of_floats_whatever_the_manifest_says(motion: MotionModel) -> None:
    whole = MotionModel(transformer=motion.transformer, settings=MotionSettings(rest=(0, 1, 2, 3, 4)))
    assert whole.rest(2).dtype == torch.float32
    assert whole.rest(2).tolist() == [[0, 1, 2, 3, 4]] * 2


# ---------------------------------------------------------------- a film's rows


def test_before_the_film_stands_the_row_of_rest_and_nothing_is_told_of_it(motion: MotionModel) -> None:
    planner = MotionPlanner(motion, slack_rows=3)
    assert (planner.length, planner.num_history) == (0, 1)
    wanted = plan_motion(motion, told(), motion.rest()[:, None], noise(3))
    planner.plan(told(), noise(3))
    assert planner.length == 3
    assert torch.equal(planner.planned(0), wanted)
    assert torch.equal(planner.rows(-2)[:, :2], torch.zeros(1, 2, ROW_WIDTH))
    assert torch.equal(planner.rows(-2)[:, 2:], planner.rows(0))
    assert torch.equal(planner.rows(2), planner.rows(0)[:, 2:])


def test_a_plan_follows_on_the_last_rows_and_never_on_more_than_it_may(motion: MotionModel) -> None:
    planner, all_rows = MotionPlanner(motion), motion.rest()[:, :0, None].expand(-1, 0, ROW_WIDTH)
    for number in range(4):
        length, most = 2 * number, motion.settings.history_rows
        assert planner.num_history == min(max(length, 1), most)
        history = all_rows[:, -min(length, most) :] if length else motion.rest()[:, None]
        wanted = plan_motion(motion, told(seed=number), history, noise(2, seed=number))
        planner.plan(told(seed=number), noise(2, seed=number))
        assert torch.equal(planner.planned(length), wanted)
        all_rows = torch.cat([all_rows, wanted], dim=1)
    assert len(planner.tensors()["latents"][0]) == motion.settings.history_rows


def test_rows_are_drawn_as_far_from_rest_as_they_are_to_be(motion: MotionModel) -> None:
    """And planned on from as they were planned."""
    share, rest = torch.tensor(MOTION_SETTINGS.drawn_share), torch.tensor(MOTION_SETTINGS.rest)
    planner, whole = (
        MotionPlanner(motion),
        MotionPlanner(replace(motion, settings=replace(motion.settings, drawn_share=()))),
    )
    for each in (planner, whole):
        each.plan(told(), noise(3))
        each.plan(told(seed=1), noise(3, seed=1))
    assert torch.equal(planner.planned(3), whole.rows(3))
    torch.testing.assert_close(planner.rows(3), (1 - share) * rest + share * whole.rows(3))
    assert torch.equal(planner.rows(3)[..., 3], rest[3].expand(1, 3)), "a share of nothing stays at rest"


def test_what_is_told_more_is_told_no_further_than_is_planned_at_most(motion: MotionModel) -> None:
    rest = torch.tensor(MOTION_SETTINGS.rest)
    least, most = rest - 1.0, rest + 0.5
    bounded = replace(
        motion.settings, drawn_share=(2.0,) * len(rest), least=tuple(least.tolist()), most=tuple(most.tolist())
    )
    told_more = replace(motion, settings=bounded)
    rows_BFM = rest + torch.tensor([-0.8, -0.3, 0.0, 0.2, 0.4])[:, None].expand(-1, len(rest))[None]
    wanted_BFM = rest + torch.tensor([-1.0, -0.6, 0.0, 0.4, 0.5])[:, None].expand(-1, len(rest))[None]
    torch.testing.assert_close(told_more.drawn(rows_BFM), wanted_BFM)


def filled(motion: MotionModel, num_parts: int = 4, slack_rows: int = 4) -> MotionPlanner:
    planner = MotionPlanner(motion, slack_rows)
    for number in range(num_parts):
        planner.plan(told(seed=number), noise(2, seed=number))
    return planner


@pytest.mark.parametrize("length", [4, 5, 8])
def test_what_is_taken_back_is_planned_again_the_same(motion: MotionModel, length: int) -> None:
    straight, planner = filled(motion), filled(motion)
    planner.plan(told(seed=50), noise(3, seed=50))
    planner.truncate(8)
    assert torch.equal(planner.rows(4), straight.rows(4))
    planner.truncate(length)
    planner.truncate(100)
    assert planner.length == length
    if length < 8:
        planner.take(straight.planned(length))
    for each in (planner, straight):
        each.plan(told(seed=60), noise(2, seed=60))
    assert torch.equal(planner.rows(4), straight.rows(4))


def test_rows_from_a_file_go_on_the_same(motion: MotionModel) -> None:
    for num_parts in (0, 1, 4):
        straight, other = filled(motion, num_parts), MotionPlanner(motion, slack_rows=4)
        other.load(straight.tensors())
        assert other.length == straight.length
        for each in (straight, other):
            each.plan(told(seed=70), noise(2, seed=70))
        assert torch.equal(other.rows(2 * num_parts), straight.rows(2 * num_parts))


def test_rows_from_a_hostile_file_are_refused_in_one_line(motion: MotionModel) -> None:
    kept = filled(motion).tensors()
    latents = kept["latents"]
    for broken in (
        {},
        {"latents": latents},
        {"length": kept["length"]},
        kept | {"length": torch.tensor([8])},
        kept | {"length": torch.tensor(7)},
        kept | {"length": torch.tensor(-8)},
        kept | {"length": torch.tensor(0)},
        kept | {"latents": latents[:, :, :-1]},
        kept | {"latents": latents[:, :0]},
        kept | {"latents": latents[:, -1:]},
        kept | {"latents": latents.half()},
        kept | {"latents": latents.repeat(2, 1, 1, 1, 1)},
        kept | {"latents": latents.repeat(1, 9, 1, 1, 1), "length": torch.tensor(10**9)},
    ):
        with pytest.raises(BadInputError) as refused:
            MotionPlanner(motion, slack_rows=4).load(broken)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("opens", ["slowly", "quickly"])
def test_a_film_begins_as_its_portrait_and_goes_over_into_its_plan(motion: MotionModel, opens: str) -> None:
    """Slowly within half a second; lips within a row. A frame is one number here."""
    articulation = (0,) if opens == "quickly" else ()
    framed = replace(
        motion, settings=replace(motion.settings, drawn_share=(), stiffness=(0.0,), articulation=articulation)
    )
    loose = replace(motion, settings=replace(motion.settings, drawn_share=()))
    planner, plain = MotionPlanner(framed, slack_rows=5), MotionPlanner(loose, slack_rows=5)
    for each in (planner, plain):
        each.plan(told(), noise(5))
    num_frames = {"slowly": OPENING_ROWS * ROW_WIDTH, "quickly": ROW_WIDTH}[opens]
    share_T = (torch.arange(1, 5 * ROW_WIDTH + 1) / (num_frames + 1)).clamp(max=1.0)
    if opens == "slowly":
        share_T = 3 * share_T**2 - 2 * share_T**3
    opened_FM = torch.lerp(motion.rest(), plain.planned(0)[0], share_T.view(5, ROW_WIDTH))
    torch.testing.assert_close(planner.planned(0)[0], opened_FM)


def test_an_opening_is_the_same_in_parts(motion: MotionModel) -> None:
    framed = replace(motion, settings=replace(motion.settings, stiffness=(1.0,)))
    rows_BFM = motion.rest()[:, None] + torch.randn(1, 5, ROW_WIDTH, generator=torch.Generator().manual_seed(4))
    whole_BFM = MotionPlanner(framed)._opened(rows_BFM)
    planner = MotionPlanner(framed, slack_rows=5)
    for part in (slice(0, 1), slice(1, 4), slice(4, 5)):
        opened_BFM = planner._opened(rows_BFM[:, part])
        torch.testing.assert_close(opened_BFM, whole_BFM[:, part])
        planner.take(opened_BFM)


@pytest.mark.parametrize("feeling", [None, "neutral", "happy", "afraid"])
def test_a_face_shows_the_feeling_that_is_called_for_and_no_other(motion: MotionModel, feeling: str | None) -> None:
    width = len(FEELING.stiffness)
    planner = MotionPlanner(replace(motion, settings=FEELING), slack_rows=9)
    rows_BFM = 100 + torch.randn(1, 3, 2 * width, generator=torch.Generator().manual_seed(2))
    felt_BFM = rows_BFM if feeling is None else planner._felt(rows_BFM, feeling)
    rests_BFTK = (felt_BFM == planner._rest_BM[:, None]).view(1, 3, 2, width)
    shown = {None: set(EXPRESSIONS), "neutral": set[str]()}.get(feeling, {"neutral", feeling})
    for column in range(width):
        stays = column < 2 or EXPRESSIONS[column - 2] in shown
        assert rests_BFTK[..., column].all() != stays and rests_BFTK[..., column].any() != stays
    kept_BFTK = (felt_BFM == rows_BFM).view(1, 3, 2, width)
    assert torch.equal(kept_BFTK, ~rests_BFTK)


def test_turns_are_planned_with_the_rows_and_taken_back_with_them(motion: MotionModel) -> None:
    row_BFM = motion.rest()[:, None]
    straight, other = (MotionPlanner(motion, slack_rows=6, frames_a_row=4) for _ in range(2))
    for planner in (straight, other):
        for _ in range(4):
            planner.take(row_BFM, TurnGoal(turn=3.0))
    other.take(row_BFM.expand(-1, 2, -1), FACING)
    other.truncate(4)
    for planner in (straight, other):
        planner.take(row_BFM.expand(-1, 2, -1), TurnGoal(turn=3.0))
    assert torch.equal(straight.turns(-1), other.turns(-1))
    assert straight.turns(-1).shape == (1, 7, 4) and not straight.turns(-1)[:, 0].any()
    assert 0.0 < float(straight.turns(3)[0, 0, -1]) < 3.0, "taken back half-way"
    kept = MotionPlanner(motion, slack_rows=6, frames_a_row=4)
    kept.load(straight.tensors())
    for planner in (straight, kept):
        planner.take(row_BFM, FACING)
    assert torch.equal(straight.turns(5), kept.turns(5))
    broken = {name: tensor for name, tensor in straight.tensors().items() if not name.startswith("turns.")}
    with pytest.raises(BadInputError, match="open a new session"):
        kept.load(broken)
