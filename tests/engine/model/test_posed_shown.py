"""A transformer that is shown its anchor in pose: each latent sees its own, a new model adds nothing yet, chunks agree with the whole."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.flow.guidance import GuidanceScales, guide
from engine.model.transformer import DitInputs, Transformer
from engine.online.kv_cache import CacheLayout, KvCache
from engine.online.settings import HistoryWindow
from tests.engine.online.small_models import (
    COLUMNS,
    CONFIG,
    ROWS,
    bounds,
    chunk_of,
    film,
    random_model,
    whole_sequence,
)

SHOWN = replace(CONFIG, is_shown_posed_anchor=True)
FRAMES, BATCH = 5, 2


def given(frames: int = FRAMES) -> DitInputs:
    """A film's inputs with an anchor in pose for each latent."""
    inputs = film(frames)
    posed_BFCHW = torch.randn(inputs.latents_BFCHW.shape, generator=torch.Generator().manual_seed(3))
    return replace(inputs, references=replace(inputs.references, posed_BFCHW=posed_BFCHW))


def with_posed(inputs: DitInputs, posed_BFCHW: Tensor | None) -> DitInputs:
    return replace(inputs, references=replace(inputs.references, posed_BFCHW=posed_BFCHW))


def posed_of(inputs: DitInputs) -> Tensor:
    assert inputs.references.posed_BFCHW is not None
    return inputs.references.posed_BFCHW


@pytest.fixture(scope="module")
def model() -> Transformer:
    return random_model(SHOWN)


def test_a_new_model_adds_nothing_of_it_and_yet_learns() -> None:
    torch.manual_seed(0)
    model = Transformer(SHOWN)
    torch.nn.init.normal_(model.head.head.weight, std=0.1)
    shown = model(given())
    assert torch.equal(shown, model(with_posed(given(), None)))
    shown.square().mean().backward()
    assert model.posed_embedding is not None
    gradient = model.posed_embedding.patches.weight.grad
    assert gradient is not None
    assert (gradient.abs().sum(dim=0) > 0).all(), "every channel of the anchor"


def test_weights_of_a_model_that_is_not_shown_it_are_as_many_as_ever() -> None:
    plain = Transformer(CONFIG)
    assert plain.posed_embedding is None
    assert set(Transformer(SHOWN).state_dict()) - set(plain.state_dict()) == {"posed_embedding.patches.weight"}
    random = random_model(CONFIG)
    assert torch.equal(random(given()), random(with_posed(given(), None))), "it starts from it and does not see it"


def test_what_is_shown_shows_and_zeros_show_nothing(model: Transformer) -> None:
    untold = model(with_posed(given(), None))
    assert torch.equal(model(with_posed(given(), torch.zeros_like(posed_of(given())))), untold)
    assert not torch.allclose(model(given()), untold, atol=1e-2)


@pytest.mark.parametrize("latent", range(FRAMES))
def test_without_attention_a_posed_anchor_acts_on_its_own_latent_and_place_alone(latent: int) -> None:
    deaf = random_model(SHOWN)
    for name, parameter in deaf.named_parameters():
        if ".self_attn.o." in name:
            torch.nn.init.zeros_(parameter)
    changed_BFCHW = posed_of(given()).clone()
    changed_BFCHW[:, latent, 1, 0, 2] += 1.0
    before, after = deaf(given()), deaf(with_posed(given(), changed_BFCHW))
    is_changed_FHW = (before != after).any(dim=2).any(dim=0)
    wanted_FHW = torch.zeros(FRAMES, ROWS, COLUMNS, dtype=torch.bool)
    wanted_FHW[latent, 0, 2] = True
    assert torch.equal(is_changed_FHW, wanted_FHW)


def test_samples_do_not_mix(model: Transformer) -> None:
    changed_BFCHW = posed_of(given()).clone()
    changed_BFCHW[0, 1] += 1.0
    before, after = model(given()), model(with_posed(given(), changed_BFCHW))
    assert (before[0] != after[0]).flatten(1).any(dim=1).all(), "attention carries it on"
    torch.testing.assert_close(before[1], after[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("chunks", [(5,), (2, 3), (1, 1, 3)])
def test_chunks_that_are_shown_the_same_are_the_whole_block_causally(
    chunks: tuple[int, ...], model: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunk by chunk behind the keys of those before it, each with its own anchors: the film in one forward."""
    inputs = given()
    history = HistoryWindow(sink_latents=FRAMES, window_latents=0)
    layout = CacheLayout(model=SHOWN, grid_HW=(ROWS, COLUMNS), history=history, batch=BATCH)
    cache, references = KvCache(layout, torch.float32, torch.device("cpu")), model.encode_references(inputs.references)
    made = []
    for start, end in bounds(chunks):
        chunk = replace(chunk_of(inputs, start, end), posed_BFCHW=posed_of(inputs)[:, start:end])
        output = model.forward_chunk(chunk, cache.context(references))
        cache.write(output.layers)
        made.append(output.output_BFCHW)
    whole_BFCHW = whole_sequence(model, inputs, chunks, monkeypatch)
    torch.testing.assert_close(torch.cat(made, dim=1), whole_BFCHW, rtol=1e-4, atol=5e-5)
    empty = KvCache(layout, torch.float32, torch.device("cpu"))
    untold = model.forward_chunk(chunk_of(inputs, 0, chunks[0]), empty.context(references))
    assert not torch.allclose(untold.output_BFCHW, made[0], atol=1e-2)


def test_guidance_shows_every_branch_the_same(model: Transformer) -> None:
    scales = GuidanceScales(text=1.5, speak=2.0, listen=3.0)
    at_once = guide(model, given(), scales)
    torch.testing.assert_close(at_once, guide(model, given(), scales, branches_at_once=1), rtol=1e-3, atol=1e-3)
    assert not torch.allclose(at_once, guide(model, with_posed(given(), None), scales), atol=1e-2)


def test_an_anchor_of_another_shape_is_refused(model: Transformer) -> None:
    with pytest.raises(ValueError, match="posed_BFCHW has shape"):
        model(with_posed(given(), posed_of(given())[:, 1:]))
