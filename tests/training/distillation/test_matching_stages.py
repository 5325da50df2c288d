"""Stages 2 to 4: the gradient reaches the student alone, and moves its films towards the teacher's."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from engine.model.transformer import Transformer
from tests.training.distillation.small_films import CHANNELS, ROWS, SETTINGS, small_film, small_model, small_score
from training.distillation.collapse import BestMark, CollapseGate, FilmFigures
from training.distillation.matching import Scores, film_critic_loss, film_dmd_loss
from training.distillation.perceptual import ActorFeatures, feature_distance
from training.distillation.stage2_off_policy import PerceptualTerm, off_policy_film, stage2_loss
from training.distillation.stage3_on_policy import on_policy_film, stage3_loss
from training.distillation.stage4_refiner import refined_film, stage4_loss
from training.objectives.dmd import DmdConfig
from training.objectives.perceived_state import LatentReader


def scores(critic: Transformer) -> Scores:
    real = small_score()
    return Scores(real=real, fake=replace(real, transformer=critic), config=DmdConfig(real_guidance=1.0))


def has_gradient(model: nn.Module) -> bool:
    return any(parameter.grad is not None and bool(parameter.grad.any()) for parameter in model.parameters())


@pytest.mark.parametrize("stage", [2, 3, 4])
def test_gradients_reach_the_student_and_nobody_else(stage: int) -> None:
    torch.manual_seed(0)
    film, student, backbone, critic = small_film(), small_model(1), small_model(2), small_model(3)
    judges, generator = scores(critic), torch.Generator().manual_seed(0)
    teacher_BFCHW = torch.randn_like(film.latents_BFCHW)
    if stage == 2:
        term = PerceptualTerm(distance=ActorFeatures(reader=LatentReader(CHANNELS, ROWS, 4, width=8)), weight=0.5)
        made = off_policy_film(student, SETTINGS, film, teacher_BFCHW, 3, generator)
        losses = stage2_loss(judges, film, made, teacher_BFCHW, term, generator)
        assert losses["lpips"] > 0
    elif stage == 3:
        made = on_policy_film(student, SETTINGS, film, 3, 0.5, generator)
        losses = stage3_loss(judges, film, made, generator)
    else:
        made = refined_film(backbone, student, SETTINGS, film, 3, generator)
        losses = stage4_loss(judges, film, made, generator)
    losses["loss"].backward()  # type: ignore[no-untyped-call]
    assert losses["not_finite"] == 0
    assert has_gradient(student)
    assert not any(has_gradient(model) for model in (backbone, critic, judges.real.transformer))


def test_the_critic_learns_and_the_student_does_not() -> None:
    film, student, critic = small_film(), small_model(1), small_model(3)
    generator = torch.Generator().manual_seed(0)
    made = on_policy_film(student, SETTINGS, film, 3, 0.0, generator)
    film_critic_loss(scores(critic), film, made, generator)["loss"].backward()  # type: ignore[no-untyped-call]
    assert has_gradient(critic)
    assert not has_gradient(student)


def test_teacher_and_critic_are_told_the_motion_of_the_film_that_they_judge() -> None:
    film, student, critic = small_film(), small_model(1), small_model(3)
    judges, generator = scores(critic), torch.Generator().manual_seed(0)
    made = on_policy_film(student, SETTINGS, film, 3, 0.0, generator).detach()
    assert film.motion_BFM is not None
    before_BFM = torch.cat([torch.zeros_like(film.motion_BFM[:, :1]), film.motion_BFM], dim=1)
    wanted_BFM = torch.cat([before_BFM[:, :4], before_BFM[:, 3:]])  # both windows of both films side by side
    told: list[torch.Tensor] = []
    for model in (judges.real.transformer, critic):
        model.register_forward_pre_hook(lambda _module, args: told.append(args[0].motion_BFM))
    film_dmd_loss(judges, film, made, generator)
    film_critic_loss(judges, film, made, generator)
    assert len(told) == 4, "the teacher twice, for it is guided here, and the critic, which then learns"
    assert all(torch.equal(rows_BFM, wanted_BFM) for rows_BFM in told)


def test_a_critic_that_equals_the_teacher_moves_nothing() -> None:
    film, student = small_film(), small_model(1)
    judges = replace(scores(small_score().transformer), config=DmdConfig(real_guidance=0.0))
    generator = torch.Generator().manual_seed(0)
    made = on_policy_film(student, SETTINGS, film, 3, 0.0, generator)
    assert stage3_loss(judges, film, made, generator)["loss"] == 0


def test_equal_films_look_equal_and_length_does_not_count() -> None:
    features = torch.randn(3, 8, 2, 2)
    assert feature_distance(features, 5 * features) < 1e-10
    assert feature_distance(features, features.flip(0)) > 0.1
    weighed = feature_distance(features, features.flip(0), torch.zeros(8))
    assert weighed == 0


def test_gates_stop_stills_flat_and_burnt_films() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.randn(4, 6, CHANNELS, 4, 4, generator=generator)
    gate = CollapseGate()
    assert gate.complaint(FilmFigures.of(truth.flip(0), truth)) is None
    for broken, word in (
        (truth[:, :1].expand_as(truth), "motion"),
        (0.3 * truth, "motion"),
        (0.5 * truth + 0.5 * truth.mean(), "variance"),
        (torch.where(truth > 1.5, 6.0, truth), "saturation"),
        (truth * torch.nan, "motion"),
    ):
        complaint = CollapseGate(motion=(0.4, 9.0), variance=(0.5, 9.0)).complaint(FilmFigures.of(broken, truth))
        assert complaint is not None
        assert complaint.startswith(word)


def test_the_best_stays_marked(tmp_path: Path) -> None:
    mark = BestMark(path=tmp_path / "best.json")
    figures = FilmFigures(motion=1.0, variance=1.0, saturation=0.0, distance=0.4)
    assert mark.is_beaten_by(9.0)
    mark.set(figures)
    assert not mark.is_beaten_by(0.5)
    assert mark.is_beaten_by(0.3)
    assert json.loads(mark.path.read_text())["distance"] == 0.4
