"""Backbone and refiner are told the motion that was planned with their chunk: the same rows, whoever asks first, and after any way back."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.errors import BadInputError
from engine.model.chunk import ChunkInputs
from engine.model.transformer import Transformer
from engine.motion.planner import MotionPlanner
from engine.online.live_motion import LiveMotion
from engine.online.noise import SeededNoise
from engine.online.rollout import CausalModel, CausalRollout
from engine.references import ReferenceLatents
from tests.engine.online.small_models import CONFIG, ROW_WIDTH, TOLD, random_model, random_motion
from tests.engine.online.small_rollouts import SETTINGS, conditions, make

SHAPE = (CONFIG.in_channels, 2, 4)  # an even grid, so that the refiner can halve it
SLACK = 12
PORTRAIT = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(5))
LOOKS_BACK = 4


def live_motion() -> LiveMotion:
    windows = (TOLD.speak_window, TOLD.listen_window)
    noise = SeededNoise(3, (ROW_WIDTH, 1, 1), torch.device("cpu"))
    return LiveMotion(MotionPlanner(random_motion(), SLACK), windows, noise)


def rollout(
    motion: LiveMotion | None = None, models: tuple[Transformer, Transformer] | None = None, slack: int = SLACK
) -> CausalRollout:
    references = ReferenceLatents.of_names(PORTRAIT, [("global", "")])
    backbone, refiner = (
        CausalModel(model, SETTINGS, references, PORTRAIT, slack)
        for model in models or (random_model(TOLD, seed=1), random_model(TOLD, seed=2))
    )
    return CausalRollout(backbone, refiner, SETTINGS, SeededNoise(0, SHAPE, torch.device("cpu")), motion)


def told_rows(model: Transformer, monkeypatch: pytest.MonkeyPatch) -> list[Tensor | None]:
    """The rows that each forward of a model was told, as they come."""
    told: list[Tensor | None] = []
    forward = model.forward_chunk

    def listening(inputs: ChunkInputs, *rest: object) -> object:
        told.append(inputs.motion_BFM)
        return forward(inputs, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(model, "forward_chunk", listening)
    return told


def test_motion_that_is_told_shows_and_motion_that_is_not_changes_nothing() -> None:
    models = (random_model(TOLD, seed=1), random_model(TOLD, seed=2))
    deaf = (Transformer(CONFIG).eval(), Transformer(CONFIG).eval())
    for model, source in zip(deaf, models, strict=True):
        weights = source.state_dict()
        model.load_state_dict({name: weights[name] for name in model.state_dict()})
    told, untold, unable = rollout(live_motion(), models), rollout(None, models), rollout(None, deaf)
    assert (told.history_latents, untold.history_latents) == (LOOKS_BACK, 0)
    assert told.cache_bytes == untold.cache_bytes + told.motion.planner.num_bytes  # type: ignore[union-attr]
    with_plan, without = make(told, (3, 3, 3)), make(untold, (3, 3, 3))
    assert (with_plan - without).abs().mean() > 0.01
    assert torch.equal(without, make(unable, (3, 3, 3)))
    assert torch.equal(without, make(rollout(live_motion(), deaf), (3, 3, 3))), "a plan that nobody is told"


def test_a_plan_is_the_same_as_being_told_its_rows_with_the_sound_of_the_chunk_alone() -> None:
    """So live models meet what they met in training, where rows are known and nothing looks further back."""
    planned, told = rollout(live_motion()), rollout()
    latents_BFCHW = make(planned, (3, 2, 3, 3))
    rows_BFM = planned.motion.planner.rows(0)  # type: ignore[union-attr]
    made, start = [], 0
    with torch.no_grad():
        for num_latents in (3, 2, 3, 3):
            of_chunk = rows_BFM[:, start : start + num_latents]
            alone = replace(conditions(start, num_latents), motion_BFM=of_chunk)
            made.append(told.refine(start, told.draft(start, alone), alone))
            start += num_latents
    assert torch.equal(latents_BFCHW, torch.cat(made, dim=1))


def test_a_withdrawn_chunk_leaves_no_trace_in_the_plan() -> None:
    plain, changed = rollout(live_motion()), rollout(live_motion())
    before = make(plain, (3, 3, 3))
    assert torch.equal(before, make(changed, (3, 3, 3)))
    make(changed, (3, 2), start=5, loud=4.0)  # goes back into the second chunk, then on, hearing something else
    wild_BFM = changed.motion.planner.rows(0)  # type: ignore[union-attr]
    assert torch.equal(make(plain, (3, 3), start=5), make(changed, (3, 3), start=5))
    rows_BFM, other_BFM = (run.motion.planner.rows(0) for run in (plain, changed))  # type: ignore[union-attr]
    assert torch.equal(rows_BFM, other_BFM)
    assert torch.equal(wild_BFM[:, :5], rows_BFM[:, :5])
    assert not torch.allclose(wild_BFM[:, 5:], rows_BFM[:, 5:10])
    with pytest.raises(ValueError, match="a plan of 11 rows cannot go on at latent 12"):
        plain.plan(12, conditions(12, 3, LOOKS_BACK))


@pytest.mark.parametrize("slack", [0, SLACK])
def test_the_refiner_is_told_its_own_chunk_however_far_ahead_the_plan_is(
    slack: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead, together = rollout(live_motion(), slack=slack), rollout(live_motion())
    wanted_BFCHW = make(together, (3, 3, 3, 3))
    seen = told_rows(ahead.refiner.model, monkeypatch)
    starts = (0, 3, 6, 9)
    with torch.no_grad():
        tolds = [ahead.plan(start, conditions(start, 3, LOOKS_BACK)) for start in starts]
        drafts = [ahead.draft(start, told) for start, told in zip(starts, tolds, strict=True)]
        finals = [ahead.refine(start, draft, told) for start, draft, told in zip(starts, drafts, tolds, strict=True)]
    assert torch.equal(torch.cat(finals, dim=1), wanted_BFCHW)
    rows_BFM = together.motion.planner.rows(0)  # type: ignore[union-attr]
    told = [row_BFM for row_BFM in seen if row_BFM is not None]
    assert len(told) == 2 * len(starts)
    assert all(torch.equal(told[2 * place], rows_BFM[:, start : start + 3]) for place, start in enumerate(starts))


def test_a_refiner_that_is_at_a_withdrawn_chunk_yet_neither_fails_nor_spoils_anything() -> None:
    plain, changed = rollout(live_motion()), rollout(live_motion())
    make(plain, (3, 3))
    wanted_BFCHW = make(plain, (3, 3), start=4)
    make(changed, (3, 3))
    with torch.no_grad():
        stale = changed.plan(6, conditions(6, 3, LOOKS_BACK, loud=4.0))
        stale_BFCHW = changed.draft(6, stale)
        told = changed.plan(4, conditions(4, 3, LOOKS_BACK))  # withdrawn to the middle of the second chunk
        draft_BFCHW = changed.draft(4, told)
        changed.refine(6, stale_BFCHW, stale)  # was under way
        first_BFCHW = changed.refine(4, draft_BFCHW, told)
    assert torch.equal(torch.cat([first_BFCHW, make(changed, (3,), start=7)], dim=1), wanted_BFCHW)


def test_a_lighter_chunk_is_planned_without_guidance_and_its_coarser_refiner_is_told_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, lighter = rollout(live_motion()), rollout(live_motion())
    assert whole.efforts == ("whole", "refiner at half resolution, plan without guidance")
    seen = told_rows(lighter.refiner.model, monkeypatch)
    make(whole, (3, 3))
    with torch.no_grad():
        for start, effort in ((0, 0), (3, 1)):
            told = lighter.plan(start, conditions(start, 3, LOOKS_BACK, effort=effort))
            lighter.refine(start, lighter.draft(start, told), told)
    rows_BFM, lighter_BFM = (run.motion.planner.rows(0) for run in (whole, lighter))  # type: ignore[union-attr]
    assert torch.equal(rows_BFM[:, :3], lighter_BFM[:, :3])
    assert not torch.allclose(rows_BFM[:, 3:], lighter_BFM[:, 3:], atol=1e-3)
    coarse = [row_BFM for row_BFM in seen[2:] if row_BFM is not None]
    assert len(coarse) == 2
    assert all(torch.equal(row_BFM, lighter_BFM[:, 3:]) for row_BFM in coarse)


@pytest.mark.parametrize("back_to", [6, 9])
def test_a_rollout_kept_when_a_plan_was_withdrawn_before_it_was_drafted_goes_on_the_same(back_to: int) -> None:
    straight, run, restored = rollout(live_motion()), rollout(live_motion()), rollout(live_motion())
    for each in (straight, run):
        make(each, (3, 3, 3))
    run.plan(back_to, conditions(back_to, 3, LOOKS_BACK, loud=4.0))
    restored.load({name: tensor.clone() for name, tensor in run.tensors().items()})
    wanted_BFCHW = make(straight, (3, 3), start=back_to)
    assert torch.equal(make(restored, (3, 3), start=back_to), wanted_BFCHW)
    assert torch.equal(make(run, (3, 3), start=back_to), wanted_BFCHW)


def test_a_rollout_from_a_file_goes_on_with_the_same_plan() -> None:
    run, restored, planless = rollout(live_motion()), rollout(live_motion()), rollout()
    make(run, (3, 3, 3, 3))
    kept = {name: tensor.clone() for name, tensor in run.tensors().items()}
    restored.load(kept)
    assert torch.equal(make(run, (3, 3), start=10), make(restored, (3, 3), start=10)), "a way back and on"
    assert torch.equal(run.motion.planner.rows(10), restored.motion.planner.rows(10))  # type: ignore[union-attr]
    make(planless, (3,))
    for broken in (
        planless.tensors(),
        {**kept, "motion.latents": kept["motion.latents"][:, :, :2]},
        {name: tensor for name, tensor in kept.items() if name != "motion.length"},
        {**kept, "motion.length": kept["motion.length"] + 1},
    ):
        with pytest.raises(BadInputError, match="open a new session"):
            rollout(live_motion()).load(broken)
