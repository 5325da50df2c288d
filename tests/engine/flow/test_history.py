"""History as a window is told it: still places stay the reference's, moving ones keep nearly all."""

import torch

from engine.flow.history import recalled
from engine.flow.preconditioning import Plain, preconditioning_named

FILM = preconditioning_named("around_reference", (0.1, 1.0, 1.0, 0.1), 0.8)


def test_errors_on_a_still_background_are_mostly_forgotten_and_a_moving_face_is_kept() -> None:
    anchor, history = torch.zeros(1, 1, 3, 2, 2), torch.ones(1, 2, 3, 2, 2)
    told = recalled(history, anchor, FILM, keep=1.0, error_std=0.2)
    torch.testing.assert_close(told[0, 0, 0], torch.tensor([[0.2, 1 / 1.04], [1 / 1.04, 0.2]]))


def test_a_share_of_all_comes_on_top() -> None:
    anchor, history = torch.full((1, 1, 3, 2, 2), 2.0), torch.ones(1, 1, 3, 2, 2)
    told = recalled(history, anchor, FILM, keep=0.5, error_std=0.0)
    torch.testing.assert_close(told, torch.full_like(history, 1.5))


def test_each_latent_is_moved_back_towards_the_anchor_in_its_own_pose() -> None:
    anchors, history = torch.tensor([2.0, -4.0]).view(1, 2, 1, 1, 1).expand(1, 2, 3, 2, 2), torch.zeros(1, 2, 3, 2, 2)
    told = recalled(history, anchors, FILM, keep=0.5, error_std=0.0)
    torch.testing.assert_close(told, 0.5 * anchors)


def test_without_errors_nothing_is_forgotten() -> None:
    history = torch.randn(1, 2, 3, 5, 4)
    assert recalled(history, torch.zeros(1, 1, 3, 5, 4), Plain(), keep=1.0, error_std=0.0) is history
    torch.testing.assert_close(
        recalled(history, torch.zeros(1, 1, 3, 5, 4), Plain(), keep=1.0, error_std=0.5), history / 1.25
    )
