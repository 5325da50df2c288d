"""The critic of latents: it tells blurs from films, pulls on what it judges only when asked, and makes an answer commit."""

import torch

from training.objectives.adversarial import (
    AdversarialConfig,
    LatentCritic,
    balanced,
    critic_loss,
    frozen,
    realism_loss,
)

CONFIG = AdversarialConfig()


def critic() -> LatentCritic:
    torch.manual_seed(0)
    return LatentCritic(latent_channels=2, width=16)


def films(count: int, seed: int) -> torch.Tensor:
    """Films of one of two stills, [count, 2, 2, 4, 4]."""
    side = torch.randint(0, 2, (count, 1, 1, 1, 1), generator=torch.Generator().manual_seed(seed)) * 2.0 - 1.0
    return side.expand(-1, 2, 2, 4, 4).contiguous()


def test_each_pair_is_judged_by_itself_and_by_place() -> None:
    latents, reference = torch.randn(3, 4, 2, 4, 4), torch.randn(3, 2, 4, 4)
    judged = critic()(latents, reference)
    assert judged.shape == (3, 3, 2, 2)
    changed = latents.clone()
    changed[:, 3] += 1
    judged_changed = critic()(changed, reference)
    torch.testing.assert_close(judged[:, :2], judged_changed[:, :2])
    assert not torch.allclose(judged[:, 2], judged_changed[:, 2])


def test_the_models_cost_leaves_the_critic_alone_and_the_critics_the_model() -> None:
    judge = critic()
    made, true, reference = films(4, 0).requires_grad_(), films(4, 1), torch.zeros(4, 2, 4, 4)
    realism_loss(frozen(judge), true, made, reference).backward()
    assert made.grad is not None and made.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in judge.parameters())
    critic_loss(CONFIG, judge, true, made.detach(), reference, torch.Generator().manual_seed(0)).backward()
    assert all(parameter.grad is not None for parameter in judge.parameters())


def test_the_pull_is_a_share_of_the_other_costs() -> None:
    made = torch.tensor([1.0, 2.0], requires_grad=True)
    others, adversarial = (3 * made).sum(), (1e-3 * made).sum()
    weighed = balanced(adversarial, others, made, share=0.5)
    assert weighed == 0
    pull = torch.autograd.grad(weighed, made)[0]
    torch.testing.assert_close(pull, torch.full((2,), 1.5), rtol=1e-3, atol=0)


def test_an_answer_between_two_futures_is_pulled_to_one_of_them() -> None:
    judge, reference = critic(), torch.zeros(16, 2, 4, 4)
    answer = torch.full((1, 2, 2, 4, 4), 0.1, requires_grad=True)
    judge_steps = torch.optim.Adam(judge.parameters(), lr=3e-3)
    answer_steps = torch.optim.Adam([answer], lr=3e-2)
    generator = torch.Generator().manual_seed(0)
    for step in range(150):
        true, made = films(16, step), answer.expand(16, -1, -1, -1, -1)
        judge_steps.zero_grad()
        critic_loss(CONFIG, judge, true, made.detach(), reference, generator).backward()
        judge_steps.step()
        answer_steps.zero_grad()
        realism_loss(frozen(judge), true, made, reference).backward()
        answer_steps.step()
    assert 0.6 < answer.mean().abs() < 1.5, "a squared error would have stayed at zero"
