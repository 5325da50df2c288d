"""Before the paper's stages: backbone and refiner learn what the actor did, in the rollout that runs live."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.codec.folded_vae import FoldedVae
from engine.online.rollout import CausalRollout
from tests.engine.small_pack import CODEC
from tests.training.distillation.small_films import CONFIG, SETTINGS, small_film, small_model
from tests.training.distillation.two_ways import batch_noise, live_rollout, the_same_kernels
from tests.training.tasks.small_base import clips_of_noise
from training.distillation.causal import BatchNoise, backbone_answers, backbone_rollout, causal_model, refined
from training.distillation.films import Film, StartShares, cut_film
from training.distillation.likeness import Likeness
from training.distillation.stage0_causal import causal_loss
from training.distillation.trajectories import TrueFilms
from training.objectives.pictures import PictureConfig

GRID = 2
DRAWN = replace(CONFIG, in_channels=CODEC.latent_channels, out_channels=CODEC.latent_channels)
PICTURES = PictureConfig(scales_px=(1, 4), most_samples=4)


def likeness() -> Likeness:
    torch.manual_seed(0)
    return Likeness(codec=FoldedVae(CODEC).requires_grad_(False), pictures=PICTURES)


def drawn_film(num_latents: int = 6) -> Film:
    """A film in latents that the small codec draws; mouths cover one position, eyes another."""
    film, generator = small_film(num_latents=num_latents), torch.Generator().manual_seed(3)
    latents_BFCHW = torch.randn(2, num_latents, CODEC.latent_channels, GRID, GRID, generator=generator)
    references_BRCHW = torch.randn(2, 2, CODEC.latent_channels, GRID, GRID, generator=generator)
    mouth_BFHW, eyes_BFHW = (torch.zeros(2, num_latents, GRID, GRID) for _ in range(2))
    mouth_BFHW[..., 1, 0], eyes_BFHW[..., 0, 1] = 1.0, 1.0
    return replace(
        film,
        latents_BFCHW=latents_BFCHW,
        first_BCHW=latents_BFCHW[:, 0],
        references=replace(film.references, latents_BRCHW=references_BRCHW),
        mouth_BFHW=mouth_BFHW,
        eyes_BFHW=eyes_BFHW,
    )


@pytest.mark.parametrize("chunk_latents", SETTINGS.chunk_choices)
def test_the_last_answers_are_the_drafts_that_a_live_session_makes(
    chunk_latents: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, backbone = small_film(batch=1), small_model(1)
    with the_same_kernels(monkeypatch):
        answers_SBFCHW = backbone_answers(backbone, SETTINGS, film, batch_noise(film), chunk_latents)
        live = live_rollout(backbone, backbone, film)
        with torch.no_grad():
            drafts = [
                live.draft(first, film.conditions(first, chunk_latents, backbone.config))
                for first in range(0, film.num_latents, chunk_latents)
            ]
    assert answers_SBFCHW.shape == (len(SETTINGS.backbone_timesteps), *film.latents_BFCHW.shape)
    assert torch.equal(answers_SBFCHW[-1].detach(), torch.cat(drafts, dim=1))


def test_each_step_takes_the_answer_before_it_as_given() -> None:
    film, backbone = small_film(batch=1), small_model(1)
    causal = causal_model(backbone, SETTINGS, film)
    rollout = CausalRollout(causal, causal, SETTINGS, batch_noise(film))
    first_BFCHW, last_BFCHW = rollout.answers(0, film.conditions(0, 3, backbone.config))
    (through,) = torch.autograd.grad(last_BFCHW.sum(), first_BFCHW, allow_unused=True, retain_graph=True)
    assert through is None
    for answer_BFCHW in (first_BFCHW, last_BFCHW):
        assert torch.autograd.grad(answer_BFCHW.sum(), backbone.patch_embedding.weight, retain_graph=True)[0].any()


def test_what_the_actor_did_costs_nothing_and_mouths_cost_most() -> None:
    costs, film, generator = likeness(), drawn_film(), torch.Generator().manual_seed(0)

    def cost_of(row: int, column: int) -> Tensor:
        made_BFCHW = film.latents_BFCHW.clone()
        made_BFCHW[..., row, column] += 0.1
        return costs.loss(film, made_BFCHW[None].requires_grad_(), generator)["latents"]

    truth = costs.loss(film, film.latents_BFCHW[None].clone().requires_grad_(), generator)
    assert truth["loss"] == 0 and truth["pictures"] == 0
    mouth, eyes, wall = cost_of(1, 0), cost_of(0, 1), cost_of(0, 0)
    assert mouth > eyes > wall > 0
    assert costs.unlikeness(film, film.latents_BFCHW) == 0 < costs.unlikeness(film, film.latents_BFCHW + 0.1)


def test_all_versions_are_held_to_the_truth_and_some_of_all_are_drawn() -> None:
    costs, film = likeness(), drawn_film()
    made_SBFCHW = torch.stack([film.latents_BFCHW, film.latents_BFCHW + 0.2]).requires_grad_()
    costs.loss(film, made_SBFCHW, torch.Generator().manual_seed(0))["loss"].backward()
    assert made_SBFCHW.grad is not None
    assert not made_SBFCHW.grad[0].isnan().any() and made_SBFCHW.grad[1].any()
    by_film = made_SBFCHW.grad[1].abs().sum(dim=(2, 3, 4))
    assert (by_film.max(dim=1).values > 1.01 * by_film.min(dim=1).values).all(), "one latent of each is drawn besides"


def test_films_that_do_not_say_where_faces_are_cannot_be_held_to_pictures() -> None:
    film = replace(drawn_film(), mouth_BFHW=None)
    with pytest.raises(ValueError, match="how much mouths and eyes cover"):
        likeness().loss(film, film.latents_BFCHW[None], torch.Generator())


def test_every_step_of_a_chunk_is_learned_and_none_through_another() -> None:
    film, network = drawn_film(), small_model(1, DRAWN)
    shown: list[Tensor] = []

    class Watched(Likeness):
        def loss(self, film: Film, made_SBFCHW: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
            shown.append(made_SBFCHW)
            return super().loss(film, made_SBFCHW, generator)

    costs = Watched(codec=likeness().codec, pictures=PICTURES)
    causal_loss(costs, network, SETTINGS, film, 3, torch.Generator().manual_seed(0))
    (made_SBFCHW,) = shown
    assert made_SBFCHW.shape == (3, *film.latents_BFCHW.shape), "the backbone's two steps and the refiner's one"
    noise = BatchNoise.drawn(film, SETTINGS, torch.Generator().manual_seed(0))
    draft_BFCHW = backbone_rollout(network, SETTINGS, film, noise, 3)
    torch.testing.assert_close(made_SBFCHW[1], draft_BFCHW)
    torch.testing.assert_close(made_SBFCHW[2], refined(network, SETTINGS, film, noise, draft_BFCHW, 3))


def test_a_network_comes_closer_to_what_the_actor_did() -> None:
    film, network, costs = drawn_film(), small_model(1, DRAWN), likeness()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    latents = []
    for step in range(25):
        losses = causal_loss(costs, network, SETTINGS, film, 3, torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        latents.append(float(losses["latents"]))
    assert sum(latents[-5:]) < 0.6 * sum(latents[:5])


def test_films_begin_behind_what_they_are_asked_to() -> None:
    plain = clips_of_noise()
    posed_NAFCHW = torch.stack([plain.clips["latents_FCHW"] + 7] * 2, dim=1)
    features = replace(plain, posed_NAFCHW=posed_NAFCHW)
    clips = features.clips
    for number in range(12):
        shown = cut_film(features, number, 2)
        portrait = cut_film(features, number, 2, StartShares(portrait=1.0))
        altered = cut_film(features, number, 2, StartShares(altered=1.0))
        assert torch.equal(shown["latents_FCHW"][1:], portrait["latents_FCHW"][1:]), (
            "only what stands before is another"
        )
        assert torch.equal(shown["speak_AD"], portrait["speak_AD"])
        assert any(torch.equal(portrait["latents_FCHW"][0], each[0].float()) for each in clips["references_RCHW"])
        for film in (shown, portrait):
            assert torch.equal(film["posed_FCHW"][0], film["latents_FCHW"][0]), "which is an anchor of its own"
        stills_XCHW = clips["altered_NCHW"].flatten(0, 1).float()
        if any(torch.equal(altered["latents_FCHW"][0], still) for still in stills_XCHW):
            assert not torch.equal(altered["posed_FCHW"][0], altered["latents_FCHW"][0])
            break
    else:
        raise AssertionError("no film began behind another expression")


def test_true_films_have_one_state_and_it_is_the_truth() -> None:
    films = TrueFilms(features=clips_of_noise(), num_films=2**31, num_latents=2, starts=StartShares())
    sample = films.sample(2**30)
    assert torch.equal(sample["trajectory_KFCHW"], sample["latents_FCHW"][None, 1:])
    assert not torch.equal(sample["latents_FCHW"], films.sample(5)["latents_FCHW"])
