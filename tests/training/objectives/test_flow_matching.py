"""The cost of the base model: only new frames count, and history is noisier than it says."""

from dataclasses import replace

import torch

from training.objectives.codec import CodecLossConfig, codec_loss
from training.objectives.flow_matching import (
    FlowMatchingConfig,
    NoisedWindow,
    StateReadout,
    bends,
    draw_sigma,
    noise_window,
    position_weights,
    state_loss,
    velocity_loss,
)

CONFIG = FlowMatchingConfig(history_noise=0.1)


def window(history: list[int], sigma: float = 0.7) -> tuple[torch.Tensor, NoisedWindow]:
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(len(history), 5, 3, 4, 4, generator=generator)
    sigma_B = torch.full((len(history),), sigma)
    return clean, noise_window(CONFIG, clean, torch.tensor(history), sigma_B, generator)


def test_history_has_timestep_zero_but_a_little_noise() -> None:
    clean, noised = window([2, 0])
    assert noised.sigma_BF[0].tolist() == [0, 0] + [torch.tensor(0.7).item()] * 3
    history_error = (noised.noisy_BFCHW - clean)[0, :2].std()
    assert 0 < history_error < 0.25
    assert (noised.noisy_BFCHW - clean)[0, 2:].std() > 0.5


def test_a_straight_path_leads_back_to_the_clean_latents() -> None:
    clean, noised = window([2, 0])
    sigma = noised.sigma_BF[..., None, None, None]
    back = noised.noisy_BFCHW - sigma * noised.velocity_BFCHW
    torch.testing.assert_close(back[0, 2:], clean[0, 2:], rtol=1e-4, atol=1e-5)


def test_errors_on_history_cost_nothing_and_on_mouths_most() -> None:
    _, noised = window([2])
    mouth = torch.zeros(1, 5, 4, 4)
    mouth[:, :, 2, 2] = 1.0
    weight = position_weights(CONFIG, noised, mouth, torch.zeros_like(mouth))
    bend = torch.full_like(mouth, 0.25)
    error = torch.zeros(1, 5, 3, 4, 4)
    error[:, :2] = 9.0
    assert velocity_loss(error, weight, bend) == 0
    on_mouth, elsewhere = torch.zeros_like(error), torch.zeros_like(error)
    on_mouth[:, 3, :, 2, 2], elsewhere[:, 3, :, 0, 0] = 1.0, 1.0
    torch.testing.assert_close(
        velocity_loss(on_mouth, weight, bend), CONFIG.mouth_weight * velocity_loss(elsewhere, weight, bend)
    )


def test_mouths_bend_later_than_the_rest() -> None:
    mouth = torch.tensor([0.0, 0.5, 1.0])[None, None, None]
    config = FlowMatchingConfig(bend=0.25, mouth_bend=1.25)
    assert bends(config, mouth).flatten().tolist() == [0.25, 0.75, 1.25]


def test_beyond_the_bend_the_cost_asks_for_what_most_agree_on() -> None:
    futures = torch.tensor([0.0, 0.0, 0.0, 1.0])
    guesses = torch.linspace(0, 1, 101)

    def best(bend: float) -> float:
        costs = [
            velocity_loss(
                (futures - guess)[:, None, None, None, None], torch.ones(4, 1, 1, 1), torch.full((4, 1, 1, 1), bend)
            )
            for guess in guesses
        ]
        return float(guesses[int(torch.stack(costs).argmin())])

    assert abs(best(3.0) - 0.25) < 0.02, "a squared error asks for the mean"
    assert best(0.05) < 0.06


def test_noise_levels_of_a_batch_are_spread() -> None:
    config = replace(CONFIG, full_noise_share=0.0)
    sigma_B = draw_sigma(config, 64, torch.Generator().manual_seed(0))
    shift = config.sigma.shift
    even_B = (sigma_B / (shift - (shift - 1) * sigma_B)).sort().values
    assert (even_B * 64 + 1e-3).floor().tolist() == list(range(64)), "one in each of 64 equal strata before the shift"
    assert sigma_B.tolist() != sorted(sigma_B.tolist()), "in no order"
    assert (sigma_B > 0.5).float().mean() > 0.6, "the shift moves them towards noise"


def test_some_samples_stand_at_full_noise() -> None:
    sigma_B = draw_sigma(replace(CONFIG, full_noise_share=0.5), 400, torch.Generator().manual_seed(0))
    assert 0.4 < (sigma_B == 1.0).float().mean() < 0.6


def test_the_readout_reads_video_tokens_only_and_history_is_not_asked_for() -> None:
    readout = StateReadout(width=8, tokens_per_latent=4, frames_per_latent=4)
    hidden = torch.randn(2, 5 * 4 + 4, 8)
    states = readout(hidden, num_latents=5)
    hidden[:, 20:] += 1.0
    assert torch.equal(states, readout(hidden, num_latents=5))
    truth = states.detach().clone()
    truth[:, :8] += 1.0
    is_new = torch.tensor([[False, False, True, True, True]] * 2)
    assert state_loss(states, truth, is_new, torch.ones(states.shape[-1])) == 0


def test_the_codecs_cost_weighs_mouths_and_motion() -> None:
    target = torch.zeros(1, 4, 3, 8, 8)
    focus = torch.zeros(1, 4, 8, 8)
    focus[..., 4:] = 1.0
    moments = (torch.zeros(1, 1, 2, 2, 2), torch.zeros(1, 1, 2, 2, 2))
    inside, outside, flicker = target.clone(), target.clone(), target.clone()
    inside[..., 4:], outside[..., :4], flicker[:, 1::2, :, :, :4] = 0.1, 0.1, 0.1 * 2**0.5

    def cost(predicted: torch.Tensor) -> float:
        return float(codec_loss(CodecLossConfig(absolute_weight=0.0), predicted, target, focus, moments)["loss"])

    assert cost(inside) > 4 * cost(outside)
    assert cost(flicker) > 1.5 * cost(outside), "the same error, but moving"
