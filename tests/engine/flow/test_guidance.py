"""Guidance by branches: batched equals one after another on the real model; interval, rescale, and branches that are not computed."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.base.settings import BaseSettings
from engine.flow import guidance
from engine.flow.guidance import NO_GUIDANCE, GuidanceInterval, GuidanceScales, branches_that_fit, guide
from engine.model.transformer import DitInputs, Transformer
from engine.references import ReferenceLatents
from tests.engine.small_pack import BASE

SCALES = GuidanceScales(text=4.0, speak=3.0, listen=2.0)


def _model() -> Transformer:
    torch.manual_seed(0)
    model = Transformer(BASE).eval().requires_grad_(False)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def _inputs(batch: int = 2) -> DitInputs:
    torch.manual_seed(1)
    references = ReferenceLatents.of_names(torch.randn(2, 4, 2, 3), (("global", ""), ("view", "left")), batch)
    present = torch.tensor([[True, True], [True, False]])[:batch]
    return DitInputs(
        latents_BFCHW=torch.randn(batch, 3, 4, 2, 3),
        timestep_BF=torch.tensor([0.0, 600.0, 600.0]).expand(batch, -1),
        references=replace(references, present_BR=present),
        text_BSD=torch.randn(batch, 5, BASE.text_dim),
        speak_BAD=torch.randn(batch, 14, BASE.speak_dim),
        listen_BAD=torch.randn(batch, 12, BASE.listen_dim),
        speak_start_row=-2,
        listen_start_row=-6,
    )


class _Counted:
    """A model that remembers how many samples each forward had."""

    def __init__(self) -> None:
        self.model, self.sizes = _model(), list[int]()

    def __call__(self, inputs: DitInputs) -> Tensor:
        self.sizes.append(inputs.latents_BFCHW.shape[0])
        output: Tensor = self.model(inputs)
        return output


@pytest.mark.parametrize(("at_once", "sizes"), [(1, [2, 2, 2, 2]), (3, [6, 2]), (4, [8])])
def test_batched_equals_one_after_another(at_once: int, sizes: list[int]) -> None:
    counted = _Counted()
    alone = guide(counted, _inputs(), SCALES, branches_at_once=1)
    counted.sizes.clear()
    torch.testing.assert_close(guide(counted, _inputs(), SCALES, branches_at_once=at_once), alone, rtol=1e-4, atol=1e-4)
    assert counted.sizes == sizes


def test_the_formula_holds_on_the_real_model() -> None:
    inputs, model = _inputs(), _model()
    silent = torch.zeros_like
    none = replace(
        inputs,
        text_BSD=silent(inputs.text_BSD),
        speak_BAD=silent(inputs.speak_BAD),
        listen_BAD=silent(inputs.listen_BAD),
    )
    text = replace(none, text_BSD=inputs.text_BSD)
    speak = replace(text, speak_BAD=inputs.speak_BAD)
    v_none, v_text, v_speak, v_all = (model(each) for each in (none, text, speak, inputs))
    expected = v_none + 4 * (v_text - v_none) + 3 * (v_speak - v_text) + 2 * (v_all - v_speak)
    torch.testing.assert_close(guide(model, inputs, SCALES), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("muted", "scales", "branches"),
    [
        ((), NO_GUIDANCE, 1),
        ((), SCALES, 4),
        (("speak_BAD",), SCALES, 3),
        (("listen_BAD",), SCALES, 3),
        (("speak_BAD", "listen_BAD"), SCALES, 2),
        (("text_BSD", "speak_BAD", "listen_BAD"), SCALES, 1),
        (("speak_BAD", "listen_BAD"), GuidanceScales(speak=3.0, listen=3.0), 1),
    ],
)
def test_branches_that_say_the_same_are_computed_once(
    muted: tuple[str, ...], scales: GuidanceScales, branches: int
) -> None:
    inputs = _inputs()
    inputs = replace(inputs, **{name: torch.zeros_like(getattr(inputs, name)) for name in muted})
    counted = _Counted()
    guided = guide(counted, inputs, scales)
    assert sum(counted.sizes) == 2 * branches
    weights = scales.branch_weights
    conditions = ("text_BSD", "speak_BAD", "listen_BAD")
    by_hand = torch.zeros_like(guided)
    for index, weight in enumerate(weights):
        left_out = {name: torch.zeros_like(getattr(inputs, name)) for name in conditions[index:]}
        by_hand += weight * counted.model(replace(inputs, **left_out))
    torch.testing.assert_close(guided, by_hand, rtol=1e-4, atol=1e-4)


def test_without_text_is_what_the_encoder_makes_of_none() -> None:
    inputs, model = _inputs(), _model()
    no_text_1SD = torch.randn(1, 5, BASE.text_dim)
    untold = replace(
        inputs,
        text_BSD=no_text_1SD.expand(2, -1, -1),
        speak_BAD=torch.zeros_like(inputs.speak_BAD),
        listen_BAD=torch.zeros_like(inputs.listen_BAD),
    )
    told = replace(untold, text_BSD=inputs.text_BSD)
    guided = guide(model, told, SCALES, no_text_BSD=no_text_1SD)
    expected = model(untold) + SCALES.text * (model(told) - model(untold))
    torch.testing.assert_close(guided, expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(guided, guide(model, told, SCALES), rtol=1e-2, atol=1e-2)
    counted = _Counted()
    guide(counted, untold, SCALES, no_text_BSD=no_text_1SD)
    assert counted.sizes == [2]


def test_guidance_acts_inside_its_interval_only() -> None:
    interval = GuidanceInterval(low=0.3, high=0.8)
    assert [interval.scales_at(sigma, SCALES) is SCALES for sigma in (0.29, 0.3, 0.5, 0.8, 0.81)] == [
        False, True, True, True, False,
    ]  # fmt: skip
    assert interval.scales_at(0.9, SCALES).num_branches == 1
    with pytest.raises(ValueError, match="low <= high"):
        GuidanceInterval(low=0.8, high=0.3)
    with pytest.raises(ValueError, match="low <= high"):
        BaseSettings(guidance_interval=(0.5, 1.5))


@pytest.mark.parametrize("scales", [SCALES, GuidanceScales(text=3.0, speak=2.0, listen=0.0)])
def test_rescale_gives_noisy_frames_the_spread_of_the_conditional_prediction(scales: GuidanceScales) -> None:
    """Also where the conditional branch has no weight of its own; frames of clean history stay out of it."""
    inputs, model = _inputs(), _model()
    conditional, guided = model(inputs), guide(model, inputs, scales)
    full, half = guide(model, inputs, scales, 1.0), guide(model, inputs, scales, 0.5)
    spread = {name: x[:, 1:].flatten(1).std(dim=1, correction=0) for name, x in
              {"conditional": conditional, "guided": guided, "full": full, "half": half}.items()}  # fmt: skip
    assert not torch.allclose(spread["guided"], spread["conditional"], rtol=0.05)
    torch.testing.assert_close(spread["full"], spread["conditional"], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(spread["half"], (spread["guided"] + spread["conditional"]) / 2, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(full[:, 0], guided[:, 0], rtol=1e-4, atol=1e-4)
    ratio = full[:, 1:] / guided[:, 1:]
    torch.testing.assert_close(ratio, ratio[:, :1, :1, :1, :1].expand_as(ratio), rtol=1e-3, atol=1e-3)


def test_without_guidance_rescale_changes_nothing_and_costs_nothing() -> None:
    counted = _Counted()
    rescaled = guide(counted, _inputs(), NO_GUIDANCE, 1.0)
    assert counted.sizes == [2]
    assert torch.equal(rescaled, guide(counted, _inputs(), NO_GUIDANCE))
    with pytest.raises(ValueError, match="guidance_rescale"):
        BaseSettings(guidance_rescale=1.5)


def test_batches_shrink_with_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small window fits many times; where nothing fits, branches still run one at a time."""
    inputs = _inputs()
    assert branches_that_fit(BASE, inputs) >= 4
    tokens = 2 * (3 + 2) * 6
    one_branch = tokens * BASE.dim * guidance.ACTIVATION_BYTES_PER_WIDTH / guidance.SHARE_OF_MEMORY
    for share, fits in ((0.5, 1), (2.5, 2), (3.5, 3)):
        monkeypatch.setattr(guidance, "_memory_bytes", lambda device, share=share: share * one_branch)
        assert branches_that_fit(BASE, inputs) == fits
