"""Eqs. 1-4 on the real transformer: references in any number and order, windows without masks over all pairs, tracks that are mute.

What is asserted bit for bit is so; where only the order of sums differs, to rounding (float32, 1e-4 on outputs of spread near 1).
"""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.model import cross_attention
from engine.model.attend import attend
from engine.model.transformer import DitInputs, Transformer
from engine.model_config import AudioWindow, DitConfig
from engine.references import EXPRESSION_NAMES, VIEW_NAMES, ReferenceLatents, reference_ids, reference_times

CONFIG = DitConfig(
    dim=48,
    ffn_dim=96,
    num_layers=2,
    num_heads=2,
    patch_size=(1, 2, 2),
    in_channels=6,
    out_channels=6,
    text_dim=10,
    speak_dim=8,
    listen_dim=12,
    frequency_dim=32,
    speak_window=AudioWindow(rows_per_latent=4, rows_before=2, rows_after=2),
    listen_window=AudioWindow(rows_per_latent=2, rows_before=6, rows_after=1),
)
FRAMES, ROWS, COLUMNS = 6, 4, 6
ALL = (("global", ""), *(("view", name) for name in VIEW_NAMES), *(("expression", name) for name in EXPRESSION_NAMES))


@pytest.fixture(scope="module")
def model() -> Transformer:
    """Random everywhere, also where training starts from zero."""
    torch.manual_seed(0)
    model = Transformer(CONFIG).eval().requires_grad_(False)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return model


def _inputs(names: tuple[tuple[str, str], ...] = ALL[:1]) -> DitInputs:
    """Each named reference has its own picture, the same in whatever company it comes."""
    torch.manual_seed(1)
    pictures = dict(zip(ALL, torch.randn(len(ALL), CONFIG.in_channels, ROWS, COLUMNS), strict=True))
    latents_BFCHW = torch.randn(1, FRAMES, CONFIG.in_channels, ROWS, COLUMNS)
    some = torch.stack([pictures[name] for name in names]) if names else latents_BFCHW[0, :0]
    return DitInputs(
        latents_BFCHW=latents_BFCHW,
        timestep_BF=torch.tensor([[0.0, *[600.0] * (FRAMES - 1)]]),
        references=ReferenceLatents.of_names(some, names),
        text_BSD=torch.randn(1, 7, CONFIG.text_dim),
        speak_BAD=torch.randn(1, 4 * FRAMES, CONFIG.speak_dim),
        listen_BAD=torch.randn(1, 2 * FRAMES, CONFIG.listen_dim),
    )


@pytest.mark.parametrize("names", [(), ALL[:1], ALL[3:5], ALL[1:], ALL])
def test_any_number_of_references_each_counts(model: Transformer, names: tuple[tuple[str, str], ...]) -> None:
    whole = model(_inputs(names))
    assert whole.shape == (1, FRAMES, CONFIG.out_channels, ROWS, COLUMNS)
    for left_out in names:
        rest = tuple(name for name in names if name != left_out)
        assert not torch.allclose(model(_inputs(rest)), whole, atol=1e-3), left_out


def test_order_says_nothing(model: Transformer) -> None:
    before = model(_inputs(ALL))
    for seed in range(3):
        order = torch.randperm(len(ALL), generator=torch.Generator().manual_seed(seed)).tolist()
        shuffled = model(_inputs(tuple(ALL[index] for index in order)))
        torch.testing.assert_close(shuffled, before, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("left_out", range(len(ALL)))
def test_leaving_one_out_equals_not_having_it(model: Transformer, left_out: int) -> None:
    inputs = _inputs(ALL)
    present_BR = torch.ones(1, len(ALL), dtype=torch.bool)
    present_BR[0, left_out] = False
    masked = model(replace(inputs, references=replace(inputs.references, present_BR=present_BR)))
    without = model(_inputs(tuple(name for name in ALL if name != ALL[left_out])))
    torch.testing.assert_close(masked, without, rtol=1e-4, atol=1e-4)


def test_the_same_picture_gives_the_same_tokens_wherever_it_stands(model: Transformer) -> None:
    """Bit for bit: its tokens and its place in RoPE time follow from the picture and its kind, not from its neighbours."""
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {}
    handle = model.blocks[0].register_forward_pre_hook(
        lambda _block, args: seen.setdefault("first", []).append((args[0], args[1].rotation.cos_BLNK))
    )
    tokens = ROWS * COLUMNS // 4
    places = ((0, ALL[:1]), (0, (ALL[0], ALL[6])), (2, (ALL[2], ALL[6], ALL[0])), (12, (*ALL[1:], ALL[0])))
    for _, names in places:
        model(_inputs(names))
    handle.remove()
    own = [
        (x[:, (FRAMES + place) * tokens :][:, :tokens], cos[:, (FRAMES + place) * tokens :][:, :tokens])
        for (place, _), (x, cos) in zip(places, seen["first"], strict=True)
    ]
    for (x, cos), (other_x, other_cos) in itertools.pairwise(own):
        torch.testing.assert_close(x, other_x, rtol=0, atol=1e-6)  # products of other sizes may round otherwise
        assert torch.equal(cos, other_cos)


def test_every_reference_has_a_segment_of_its_own() -> None:
    """Eq. 4: origin, base offset of the kind, sub-offset; no two share a time and none lies inside a window."""
    ids = torch.tensor([reference_ids(*name) for name in ALL])
    positions = CONFIG.reference_positions
    times = reference_times(ids[None, :, 0], ids[None, :, 1], positions)[0].tolist()
    assert len(set(times)) == len(ALL)
    assert min(times) == positions.origin > FRAMES
    views, expressions = times[1:5], times[5:]
    assert views == [positions.origin + positions.view_offset + index for index in range(4)]
    assert expressions == [positions.origin + positions.expression_offset + index for index in range(8)]


def test_the_global_reference_stands_clean_beside_every_window(model: Transformer) -> None:
    """Temporal extension (paper 3.2): its timestep is 0 and its place the same, whatever is noisy and however long the window is."""
    inputs = _inputs()
    shorter = replace(inputs, latents_BFCHW=inputs.latents_BFCHW[:, :3], timestep_BF=torch.full((1, 3), 999.0))
    tokens = ROWS * COLUMNS // 4
    rotations = [model._rotation(each, torch.float32).cos_BLNK[:, -tokens:] for each in (inputs, shorter)]
    assert torch.equal(*rotations)
    segments = [model._embed_time(each, tokens)[1][:, -1] for each in (inputs, shorter)]
    clean = model._embed_time(replace(shorter, timestep_BF=torch.zeros(1, 3)), tokens)[1][:, 0]
    for segment in segments:
        torch.testing.assert_close(segment, clean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["speak_BAD", "listen_BAD"])
def test_a_muted_track_equals_one_that_was_never_there(
    model: Transformer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, whether its zeros are attended (as while training) or left out (as on a processor without gradients)."""
    inputs = _inputs(ALL[:3])
    muted = replace(inputs, **{name: torch.zeros_like(getattr(inputs, name))})
    left_out = model(muted)
    monkeypatch.setattr(cross_attention, "_is_silent", lambda audio_BAD: False)
    assert torch.equal(model(muted), left_out)
    layers = slice(0, None, 2) if name == "speak_BAD" else slice(1, None, 2)
    deaf = Transformer(CONFIG).eval().requires_grad_(False)
    deaf.load_state_dict(model.state_dict())
    for block in list(deaf.blocks)[layers]:
        block.get_submodule("cross_attn.o_audio").weight.zero_()  # type: ignore[operator,union-attr]
    assert torch.equal(deaf(inputs), left_out)
    assert not torch.allclose(model(inputs), left_out, atol=1e-3)


def test_windows_are_gathered_and_never_a_mask_over_all_pairs(
    model: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What attention is asked in one forward: each latent frame alone with the rows of its own window."""
    asked: list[tuple[int, int, int]] = []

    def watched(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor | None = None) -> Tensor:
        asked.append((q.shape[0], q.shape[1], k.shape[1]))
        assert allowed is None or allowed.ndim == 2
        return attend(q, k, v, allowed)

    monkeypatch.setattr(cross_attention, "attend", watched)
    model(_inputs())
    tokens = ROWS * COLUMNS // 4
    text = (1, FRAMES * tokens, 7)
    assert asked == [
        text, (FRAMES, tokens, CONFIG.speak_window.num_rows), text, (FRAMES, tokens, CONFIG.listen_window.num_rows),
    ]  # fmt: skip


@pytest.mark.parametrize("layer", [0, 1])
def test_a_frame_does_not_hear_beyond_its_window(layer: int) -> None:
    """Through the whole model with one layer that hears: only frames whose window holds the row change before tokens mix again."""
    torch.manual_seed(0)
    last = Transformer(replace(CONFIG, num_layers=layer + 1)).eval().requires_grad_(False)
    for parameter in last.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    inputs = _inputs()
    name, window = ("speak_BAD", CONFIG.speak_window) if layer == 0 else ("listen_BAD", CONFIG.listen_window)
    rows_BAD = getattr(inputs, name)
    before = last(inputs)
    for row in range(0, rows_BAD.shape[1], 3):
        changed_BAD = rows_BAD.clone()
        changed_BAD[:, row] += 1
        changed_F = (last(replace(inputs, **{name: changed_BAD})) != before).flatten(2).any(dim=2)[0]
        first_F = torch.arange(FRAMES) * window.rows_per_latent - window.rows_before
        assert torch.equal(changed_F, (first_F <= row) & (row < first_F + window.num_rows))
