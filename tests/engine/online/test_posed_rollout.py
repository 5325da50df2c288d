"""Backbone and refiner start from, and are shown, the anchor in the poses of their own latents: whoever asks first, after any way back."""

import threading
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.codec.folded_vae import FoldedVae
from engine.model.chunk import ChunkInputs
from engine.model.transformer import Transformer
from engine.motion.planner import MotionPlanner
from engine.online.conditions import ChunkConditions
from engine.online.half_resolution import halved
from engine.online.live_anchors import LiveAnchors
from engine.online.live_motion import LiveMotion
from engine.online.noise import SeededNoise
from engine.online.rollout import CausalModel, CausalRollout
from engine.posing.poser import Poser
from engine.references import ReferenceLatents
from tests.engine.online.small_models import CONFIG, random_model, random_motion
from tests.engine.online.small_rollouts import AROUND, conditions, make
from tests.engine.posing.small_flow import random_flow, showing
from tests.engine.small_pack import CODEC, POSED_ROW_WIDTH, POSING

SHOWN = replace(CONFIG, motion_dim=POSED_ROW_WIDTH, is_shown_posed_anchor=True)
SHAPE = (CONFIG.in_channels, 2, 4)  # an even grid, so that the refiner can halve it
SLACK, LOOKS_BACK = 12, 4


def pictures(seed: int = 0) -> ReferenceLatents:
    """A character of one picture, 24 by 48 px, with its latent."""
    pixels_BCHW = 2 * torch.rand(1, 3, 24, 48, generator=torch.Generator().manual_seed(seed)) - 1
    references = ReferenceLatents.of_names(small_codec().encode_still(pixels_BCHW), [("global", "")])
    rest_M = random_motion(row_width=POSED_ROW_WIDTH).rest()[0]
    return replace(references, anchor_picture=showing(rest_M, pixels_BCHW))


def small_codec() -> FoldedVae:
    torch.manual_seed(0)
    codec = FoldedVae(CODEC).eval().requires_grad_(False)
    for parameter in codec.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return codec


def small_poser() -> Poser:
    motion = random_motion(row_width=POSED_ROW_WIDTH)
    return Poser(random_flow(config=POSING), small_codec(), motion.rest()[0])


def live_motion(poser: Poser | None) -> LiveMotion:
    windows = (SHOWN.speak_window, SHOWN.listen_window)
    noise = SeededNoise(3, (POSED_ROW_WIDTH, 1, 1), torch.device("cpu"))
    planner = MotionPlanner(random_motion(row_width=POSED_ROW_WIDTH), SLACK)
    anchors = None if poser is None else LiveAnchors(poser, pictures().latents_BRCHW[:, 0], SLACK + 1)
    return LiveMotion(planner, windows, noise, anchors=anchors)


def rollout(motion: LiveMotion | None = None, slack: int = SLACK) -> CausalRollout:
    references = pictures()
    portrait_BCHW = references.latents_BRCHW[:, 0]
    backbone, refiner = (
        CausalModel(random_model(SHOWN, seed), AROUND, references, portrait_BCHW, slack) for seed in (1, 2)
    )
    return CausalRollout(backbone, refiner, AROUND, SeededNoise(0, SHAPE, torch.device("cpu")), motion)


def posing_rollout(slack: int = SLACK) -> CausalRollout:
    return rollout(live_motion(small_poser()), slack)


def posed_told(model: Transformer, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The anchors that each forward of a model is shown, as they come."""
    told: list[Tensor] = []
    forward = model.forward_chunk

    def listening(inputs: ChunkInputs, *rest: object) -> object:
        assert inputs.posed_BFCHW is not None
        assert inputs.posed_BFCHW.shape == inputs.latents_BFCHW.shape
        told.append(inputs.posed_BFCHW)
        return forward(inputs, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(model, "forward_chunk", listening)
    return told


def in_pose(run: CausalRollout, first_latent: int) -> Tensor:
    """The anchor in the poses of the plan from a latent on, [1, F, C, h, w]."""
    assert run.motion is not None
    picture = pictures().anchor_picture
    assert picture is not None
    return small_poser().latents(picture, run.motion.planner.rows(first_latent))


@pytest.mark.parametrize("chunks", [(6, 6), (3, 3, 3, 3), (2, 2, 2, 2, 2, 2), (6, 2, 3)])
def test_both_models_are_shown_the_anchor_in_the_pose_of_each_latent(
    chunks: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = posing_rollout()
    seen = {name: posed_told(model.model, monkeypatch) for name, model in (("b", run.backbone), ("r", run.refiner))}
    latents_BFCHW = make(run, chunks)
    assert torch.isfinite(latents_BFCHW).all()
    wanted_BFCHW = in_pose(run, 0)
    assert (wanted_BFCHW - pictures().latents_BRCHW).abs().amax(dim=(2, 3, 4)).min() > 0.01, "all of them move"
    for told in seen.values():
        assert len(told) == 2 * len(chunks)
        torch.testing.assert_close(torch.cat(told[::2], dim=1), wanted_BFCHW, rtol=1e-4, atol=1e-4)
        assert all(torch.equal(one, other) for one, other in zip(told[::2], told[1::2], strict=True))


def test_a_plan_that_is_posed_is_the_same_as_being_told_its_rows_and_anchors() -> None:
    """So live models meet what they meet in training, where both are known (`training.distillation.films`)."""
    planned, told, chunks = posing_rollout(), rollout(), (3, 2, 3, 3)
    latents_BFCHW = make(planned, chunks)
    assert planned.motion is not None
    rows_BFM, still_BFCHW = planned.motion.planner.rows(0), pictures().latents_BRCHW
    posed_BFCHW = torch.cat([in_pose(planned, -1)[:, :1], in_pose(planned, 0)], dim=1)
    torch.testing.assert_close(posed_BFCHW[:, :1], still_BFCHW, rtol=0, atol=1e-4)
    made, start = [], 0
    with torch.no_grad():
        for num_latents in chunks:
            alone = replace(
                conditions(start, num_latents),
                motion_BFM=rows_BFM[:, start : start + num_latents],
                posed_BFCHW=posed_BFCHW[:, start : start + num_latents + 1],
            )
            made.append(told.refine(start, told.draft(start, alone), alone))
            start += num_latents
    torch.testing.assert_close(torch.cat(made, dim=1), latents_BFCHW, rtol=1e-3, atol=1e-3)


def test_what_both_models_start_from_is_each_latents_own_anchor_moved_by_what_the_last_one_differs_from_its() -> None:
    run = rollout()
    generator = torch.Generator().manual_seed(2)
    posed_BFCHW = torch.randn(1, 4, *SHAPE, generator=generator)
    motion_BFM = torch.randn(1, 3, POSED_ROW_WIDTH, generator=generator)
    told = replace(conditions(0, 3), motion_BFM=motion_BFM, posed_BFCHW=posed_BFCHW)
    with torch.no_grad():
        run.refine(0, run.draft(0, told), told)
    following_BFCHW = torch.cat([posed_BFCHW[:, -1:], posed_BFCHW[:, :3] + 1.0], dim=1)
    for model in (run.backbone, run.refiner):
        guess = model.open(3, replace(told, posed_BFCHW=following_BFCHW)).guess
        from_anchor_BFCHW = AROUND.history_share * (model.tail.last() - posed_BFCHW[:, -1:])
        assert guess.posed_BFCHW is not None
        torch.testing.assert_close(guess.posed_BFCHW, following_BFCHW[:, 1:] + from_anchor_BFCHW)
        sigma_BF, zeros_BFCHW = torch.ones(1, 3), torch.zeros(1, 3, *SHAPE)
        clean_BFCHW = -model.precondition.velocity(zeros_BFCHW, zeros_BFCHW, sigma_BF, guess)
        torch.testing.assert_close(clean_BFCHW, guess.posed_BFCHW, rtol=1e-4, atol=1e-5)


def test_anchors_that_rest_are_the_guess_of_models_that_pose_nothing() -> None:
    run = rollout()
    at_rest_BFCHW = pictures().latents_BRCHW.expand(-1, 4, -1, -1, -1)
    resting = run.backbone.open(0, replace(conditions(0, 3), posed_BFCHW=at_rest_BFCHW)).guess
    plain = run.backbone.open(0, conditions(0, 3)).guess
    assert plain.posed_BFCHW is None and resting.posed_BFCHW is not None
    torch.testing.assert_close(resting.posed_BFCHW, plain.latents_BRCHW.expand(-1, 3, -1, -1, -1))


@pytest.mark.parametrize("slack", [0, SLACK])
def test_a_refiner_in_another_thread_is_shown_what_the_draft_was(slack: int, monkeypatch: pytest.MonkeyPatch) -> None:
    together, ahead = posing_rollout(), posing_rollout(slack)
    wanted_BFCHW = make(together, (3, 3, 3, 3))
    drafted, refined = (posed_told(model.model, monkeypatch) for model in (ahead.backbone, ahead.refiner))
    starts, drafts, finals = (0, 3, 6, 9), dict[int, tuple[Tensor, ChunkConditions]](), list[Tensor]()
    ready = threading.Semaphore(0)

    def refine() -> None:
        for start in starts:
            ready.acquire()
            with torch.no_grad():
                finals.append(ahead.refine(start, *drafts[start]))

    thread = threading.Thread(target=refine)
    thread.start()
    with torch.no_grad():
        for start in starts:
            told = ahead.plan(start, conditions(start, 3, LOOKS_BACK))
            drafts[start] = ahead.draft(start, told), told
            if start >= 6:  # the refiner begins two chunks late
                ready.release()
    for _ in starts[2:]:
        ready.release()
    thread.join()
    assert torch.equal(torch.cat(finals, dim=1), wanted_BFCHW)
    assert all(torch.equal(one, other) for one, other in zip(drafted, refined, strict=True))


def test_a_withdrawn_chunk_leaves_no_trace_in_what_is_posed(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, changed = posing_rollout(), posing_rollout()
    assert torch.equal(make(plain, (3, 3, 3)), make(changed, (3, 3, 3)))
    make(changed, (3, 2), start=5, loud=4.0)  # goes back into the second chunk, then on, hearing something else
    seen, other = (posed_told(run.refiner.model, monkeypatch) for run in (plain, changed))
    assert torch.equal(make(plain, (3, 3), start=5), make(changed, (3, 3), start=5))
    assert all(torch.equal(one, two) for one, two in zip(seen, other, strict=True))
    torch.testing.assert_close(seen[0], in_pose(plain, 5)[:, :3], rtol=1e-4, atol=1e-4)


def test_another_anchor_is_posed_from_its_chunk_on(monkeypatch: pytest.MonkeyPatch) -> None:
    run, others = posing_rollout(), pictures(seed=1)
    seen = posed_told(run.refiner.model, monkeypatch)
    make(run, (3,))
    with torch.no_grad():
        told = run.plan(3, replace(conditions(3, 3, LOOKS_BACK), references=others))
        run.refine(3, run.draft(3, told), told)
    assert run.motion is not None and others.anchor_picture is not None
    wanted_BFCHW = small_poser().latents(others.anchor_picture, run.motion.planner.rows(3))
    torch.testing.assert_close(seen[2], wanted_BFCHW, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(seen[2], in_pose(run, 3), atol=1e-2)


def test_what_was_shown_keeps_the_anchor_that_it_stayed_near() -> None:
    """Against another anchor its whole old face would count as detail, and stand in the new one as a ghost; after a way back too."""
    run, others = posing_rollout(), pictures(seed=1)
    make(run, (3,))
    old_BFCHW = in_pose(run, 2)
    for _ in range(2):
        with torch.no_grad():
            told = run.plan(3, replace(conditions(3, 3, LOOKS_BACK), references=others))
            run.refine(3, run.draft(3, told), told)
        assert told.posed_BFCHW is not None
        torch.testing.assert_close(told.posed_BFCHW[:, :1], old_BFCHW, rtol=1e-4, atol=1e-4)
    after = run.plan(6, conditions(6, 3, LOOKS_BACK))
    assert after.posed_BFCHW is not None and told.posed_BFCHW is not None
    torch.testing.assert_close(after.posed_BFCHW[:, :1], told.posed_BFCHW[:, -1:], rtol=0, atol=0)


def test_a_coarser_refiner_is_shown_the_same_at_half_the_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    run = posing_rollout()
    make(run, (3,))
    drafted, refined = (posed_told(model.model, monkeypatch) for model in (run.backbone, run.refiner))
    latents_BFCHW = make(run, (3,), start=3, effort=1)
    assert torch.isfinite(latents_BFCHW).all()
    assert all(torch.equal(each, halved(drafted[0])) for each in refined)


def test_without_a_poser_nothing_is_posed() -> None:
    run = rollout(live_motion(None))
    told = run.plan(0, conditions(0, 3, LOOKS_BACK))
    assert told.motion_BFM is not None and told.posed_BFCHW is None
    assert not torch.equal(make(run, (3, 3)), make(posing_rollout(), (3, 3)))


def test_a_rollout_from_a_file_goes_on_with_the_same_anchors(monkeypatch: pytest.MonkeyPatch) -> None:
    run, restored = posing_rollout(), posing_rollout()
    make(run, (3, 3, 3, 3))
    restored.load({name: tensor.clone() for name, tensor in run.tensors().items()})
    seen, other = (posed_told(each.refiner.model, monkeypatch) for each in (run, restored))
    assert torch.equal(make(run, (3, 3), start=10), make(restored, (3, 3), start=10)), "a way back and on"
    assert all(torch.equal(one, two) for one, two in zip(seen, other, strict=True))
