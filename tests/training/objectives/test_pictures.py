"""The cost of pictures: it draws what a film would show, and weighs what a viewer looks at."""

import torch

from engine.codec.folded_vae import FoldedVae
from tests.engine.small_pack import CODEC
from training.objectives.pictures import PictureConfig, balanced, choose_latents, drawn, picture_loss, picture_weights

CONFIG = PictureConfig(scales_px=(1, 4))


def codec() -> FoldedVae:
    torch.manual_seed(0)
    made = FoldedVae(CODEC).requires_grad_(False)
    made.get_buffer("latent_std").uniform_(0.5, 2.0)
    made.get_buffer("latent_mean").uniform_(-1.0, 1.0)
    return made


def test_a_drawn_latent_is_the_films_and_alone_is_pulled() -> None:
    vae = codec()
    latents = torch.randn(3, 4, CODEC.latent_channels, 4, 4, requires_grad=True)
    chosen = torch.tensor([1, 3, 2])
    frames = drawn(vae, latents, chosen)
    fold = CODEC.frames_per_latent
    whole = vae.decode(latents).detach()
    for sample, latent in enumerate(chosen):
        expected = whole[sample, fold * int(latent) : fold * (int(latent) + 1)]
        torch.testing.assert_close(frames[sample].float(), expected, atol=0.02, rtol=0.05)
    frames.square().sum().backward()
    assert latents.grad is not None
    pulled = latents.grad.abs().sum(dim=(2, 3, 4)) > 0
    assert pulled.sum(dim=1).tolist() == [1, 1, 1] and pulled[torch.arange(3), chosen].all()


def test_only_new_latents_are_chosen_and_each_of_them_sometimes() -> None:
    is_new = torch.tensor([[False, True, True]]).expand(64, -1)
    assert set(choose_latents(is_new, torch.Generator().manual_seed(0)).tolist()) == {1, 2}


def test_an_error_of_the_mouth_costs_more_than_one_of_the_wall() -> None:
    mouth, eyes = torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)
    mouth[0, 2, 2] = 1.0
    weights, nowhere = picture_weights(CONFIG, mouth, eyes, 32), torch.zeros(1, 1, 1, 32, 32)
    true = torch.zeros(1, 4, 3, 32, 32)
    at_mouth, at_wall = true.clone(), true.clone()
    at_mouth[..., 17:23, 17:23] = 0.5
    at_wall[..., 1:7, 1:7] = 0.5
    assert picture_loss(CONFIG, true, true, weights, nowhere) == 0
    assert picture_loss(CONFIG, at_mouth, true, weights, nowhere) > 3 * picture_loss(
        CONFIG, at_wall, true, weights, nowhere
    )


def test_a_cast_of_colour_costs_more_than_grain_of_the_same_size() -> None:
    weights, nowhere = torch.ones(1, 1, 1, 32, 32), torch.zeros(1, 1, 1, 32, 32)
    true = torch.zeros(1, 4, 3, 32, 32)
    grain = 0.2 * (torch.randint(0, 2, true.shape, generator=torch.Generator().manual_seed(0)) * 2.0 - 1.0)
    assert picture_loss(CONFIG, true + 0.2, true, weights, nowhere) > 1.5 * picture_loss(
        CONFIG, true + grain, true, weights, nowhere
    )


def best_of(is_mouth: bool) -> float:
    """The one answer, found by descent, to a pixel that is dark in three of ten films."""
    films = torch.where(torch.arange(10) < 3, 1.0, -1.0)[:, None, None, None, None].expand(-1, 1, 3, 4, 4)
    answer = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([answer], lr=0.02)
    everywhere = torch.ones(10, 1, 1, 4, 4)
    for _ in range(200):
        optimizer.zero_grad()
        made = answer.expand(films.shape)
        picture_loss(CONFIG, made, films, everywhere, everywhere * float(is_mouth)).backward()
        optimizer.step()
    return float(answer.detach())


def test_a_mouth_is_answered_by_the_mean_and_the_rest_by_what_most_agree_on() -> None:
    assert abs(best_of(is_mouth=True) - (-0.4)) < 0.05
    assert abs(best_of(is_mouth=False) - (-1.0)) < 0.1


def test_the_pull_is_a_share_of_the_other_costs_and_adds_nothing_to_the_loss() -> None:
    made = torch.tensor([1.0, 2.0], requires_grad=True)
    others, cost = (3 * made).sum(), (1e-3 * made).sum()
    weighed = balanced(cost, others, made, share=0.5)
    assert weighed == 0
    torch.testing.assert_close(torch.autograd.grad(weighed, made)[0], torch.full((2,), 1.5), rtol=1e-3, atol=0)
