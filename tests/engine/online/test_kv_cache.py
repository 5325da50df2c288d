"""The streamed forward equals the whole sequence, then the slow twin; it forgets nothing it may need and costs no more with time."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.errors import BadInputError
from engine.model.transformer import DitInputs, Transformer
from engine.online.kv_cache import CacheLayout, KvCache
from engine.online.settings import HistoryWindow
from tests.engine.online.small_models import (
    COLUMNS,
    CONFIG,
    ROWS,
    RebuiltWindows,
    bounds,
    chunk_of,
    film,
    random_model,
    whole_sequence,
    with_latents,
)


@pytest.fixture(scope="module")
def model() -> Transformer:
    return random_model()


def cache(sink: int, window: int, slack: int = 0, positions: str = "window", batch: int = 2) -> KvCache:
    history = HistoryWindow(sink_latents=sink, window_latents=window, slack_latents=slack, positions=positions)
    layout = CacheLayout(model=CONFIG, grid_HW=(ROWS, COLUMNS), history=history, batch=batch)
    return KvCache(layout, torch.float32, torch.device("cpu"))


@torch.no_grad()
def stream(model: Transformer, inputs: DitInputs, chunks: Sequence[int], kept: KvCache | RebuiltWindows) -> Tensor:
    references = model.encode_references(inputs.references)
    outputs = []
    for start, end in bounds(chunks):
        output = model.forward_chunk(chunk_of(inputs, start, end), kept.context(references))
        kept.write(output.layers)
        outputs.append(output.output_BFCHW)
    return torch.cat(outputs, dim=1)


@pytest.mark.parametrize("chunks", [(3, 3, 3), (2, 2, 2, 2), (6, 3), (1, 2, 4)])
@pytest.mark.parametrize("positions", ["window", "absolute"])
def test_before_anything_is_evicted_the_stream_is_the_whole_sequence(
    model: Transformer, chunks: tuple[int, ...], positions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = film(sum(chunks))
    streamed = stream(model, inputs, chunks, cache(sink=4, window=5, positions=positions))
    torch.testing.assert_close(streamed, whole_sequence(model, inputs, chunks, monkeypatch), rtol=1e-4, atol=2e-5)


def test_a_missing_reference_is_missing_in_the_stream_too(model: Transformer, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = film(4)
    present_BR = torch.tensor([[True, False], [True, True]])
    references = inputs.references
    masked = stream(model, replace(inputs, references=replace(references, present_BR=present_BR)), (2, 2), cache(4, 0))
    left_out = replace(
        references,
        latents_BRCHW=references.latents_BRCHW[:, :1],
        kinds_BR=references.kinds_BR[:, :1],
        subtypes_BR=references.subtypes_BR[:, :1],
    )
    without = whole_sequence(model, replace(inputs, references=left_out), (2, 2), monkeypatch)
    torch.testing.assert_close(masked[0], without[0], rtol=1e-4, atol=2e-5)
    torch.testing.assert_close(masked[1], whole_sequence(model, inputs, (2, 2), monkeypatch)[1], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("positions", ["window", "absolute"])
@pytest.mark.parametrize(
    ("sink", "window", "slack"), [(2, 3, 0), (3, 2, 4), (0, 4, 1), (3, 0, 0), (0, 1, 0), (1, 7, 2)]
)
def test_after_eviction_the_stream_is_the_slow_twin(
    model: Transformer, positions: str, sink: int, window: int, slack: int
) -> None:
    chunks = (3, 2, 3, 1, 3, 3, 2, 3)
    kept = cache(sink, window, slack, positions)
    streamed = stream(model, film(20), chunks, kept)
    twin = stream(model, film(20), chunks, RebuiltWindows(kept.layout.history))
    torch.testing.assert_close(streamed, twin, rtol=1e-5, atol=1e-6)


def test_what_is_evicted_no_longer_matters_but_the_sink_does(model: Transformer) -> None:
    """With history written from outside, only latents in sink and window reach the next chunk."""
    inputs = film(2)
    references = model.encode_references(inputs.references)

    def next_chunk(changed: int | None) -> Tensor:
        kept = cache(sink=2, window=3)
        generator = torch.Generator().manual_seed(3)
        for latent in range(9):
            with torch.no_grad():
                whole = model.forward_chunk(chunk_of(film(1, seed=latent), 0, 1), cache(0, 0).context(references))
            own = [
                replace(layer, v_BSNK=torch.randn(layer.v_BSNK.shape, generator=generator) + 5.0 * (latent == changed))
                for layer in whole.layers
            ]
            kept.write(tuple(own))
        with torch.no_grad():
            return model.forward_chunk(chunk_of(inputs, 0, 2), kept.context(references)).output_BFCHW

    plain = next_chunk(None)
    matters = [latent for latent in range(9) if not torch.equal(plain, next_chunk(latent))]
    assert matters == [0, 1, 6, 7, 8]


def test_later_input_never_changes_an_earlier_frame(model: Transformer) -> None:
    inputs, chunks = film(12), (3, 3, 3, 3)
    plain = stream(model, inputs, chunks, cache(3, 3))
    for changed in range(12):

        def disturb(latents_BFCHW: Tensor, changed: int = changed) -> Tensor:
            latents_BFCHW[:, changed] += 3
            return latents_BFCHW

        other = stream(model, with_latents(inputs, disturb), chunks, cache(3, 3))
        first_of_chunk = changed // 3 * 3
        assert torch.equal(plain[:, :first_of_chunk], other[:, :first_of_chunk])
        assert not torch.equal(
            plain[:, first_of_chunk : first_of_chunk + 3], other[:, first_of_chunk : first_of_chunk + 3]
        )


@pytest.mark.parametrize("back", [1, 2, 3, 5])
def test_going_back_and_on_again_is_as_if_nothing_had_been(model: Transformer, back: int) -> None:
    inputs = film(20)
    references = model.encode_references(inputs.references)

    def run(detour: bool) -> Tensor:
        kept = cache(sink=3, window=4, slack=5)
        with torch.no_grad():
            for start, end in bounds((3, 3, 3, 3, 2)):
                kept.write(model.forward_chunk(chunk_of(inputs, start, end), kept.context(references)).layers)
            kept.truncate(14 - back)
            if detour:
                kept.write(model.forward_chunk(chunk_of(film(20, seed=9), 0, back), kept.context(references)).layers)
                kept.truncate(14 - back)
            start = 14 - back
            return model.forward_chunk(chunk_of(inputs, start, start + 3), kept.context(references)).output_BFCHW

    assert torch.equal(run(detour=False), run(detour=True))


def test_going_back_further_than_the_slack_is_refused_unless_into_the_sink(model: Transformer) -> None:
    kept = cache(sink=3, window=4, slack=2)
    stream(model, film(14), (14,), kept)
    with pytest.raises(ValueError, match="cannot go back to 11"):
        kept.truncate(11)
    with pytest.raises(ValueError, match="cannot go back to 15"):
        kept.truncate(15)
    kept.truncate(12)
    kept.truncate(2)
    assert kept.length == 2
    twin = RebuiltWindows(kept.layout.history)
    references = model.encode_references(film(2).references)
    stream(model, film(14), (2,), twin)
    for ours, theirs in zip(kept.context(references).layers, twin.context(references).layers, strict=True):
        assert ours.k_BSNK.shape == theirs.k_BSNK.shape


def test_memory_and_context_do_not_grow_and_positions_never_end(model: Transformer) -> None:
    kept = cache(sink=2, window=3)
    references = model.encode_references(film(1).references)
    bytes_before, sizes = kept.num_bytes, set()
    kept.length = kept._longest = 10**12  # a session that has run for a thousand years
    for _ in range(7):
        context = kept.context(references)
        sizes.add(context.layers[0].k_BSNK.shape[1])
        assert context.first_time == 5
        with torch.no_grad():
            output = model.forward_chunk(chunk_of(film(3), 0, 3), context)
        assert torch.isfinite(output.output_BFCHW).all()
        kept.write(output.layers)
    assert len(sizes) == 1
    assert kept.num_bytes == bytes_before


def test_gradients_flow_through_a_chunk_and_history_is_constant(model: Transformer) -> None:
    """The ring is overwritten several times between a forward and its backward."""
    inputs, kept = film(12), cache(sink=1, window=2)
    references = model.encode_references(inputs.references)
    latents = [inputs.latents_BFCHW[:, start:end].clone().requires_grad_() for start, end in bounds((3, 3, 3, 3))]
    outputs = []
    for (start, end), own in zip(bounds((3, 3, 3, 3)), latents):
        chunk = replace(chunk_of(inputs, start, end), latents_BFCHW=own)
        output = model.forward_chunk(chunk, kept.context(references))
        kept.write(output.layers)
        outputs.append(output.output_BFCHW)
    outputs[1].square().sum().backward()
    assert [own.grad is not None for own in latents] == [False, True, False, False]
    alone = latents[1].detach().clone().requires_grad_()
    twin = cache(sink=1, window=2)
    with torch.no_grad():
        twin.write(model.forward_chunk(chunk_of(inputs, 0, 3), twin.context(references)).layers)
    chunk = replace(chunk_of(inputs, 3, 6), latents_BFCHW=alone)
    model.forward_chunk(chunk, twin.context(references)).output_BFCHW.square().sum().backward()
    torch.testing.assert_close(alone.grad, latents[1].grad)


def test_a_history_kept_in_a_file_goes_on_the_same_and_a_foreign_one_is_refused(model: Transformer) -> None:
    kept, other = cache(2, 3, slack=1), cache(2, 3, slack=1)
    stream(model, film(11), (4, 4, 3), kept)
    kept.truncate(10)
    other.load(kept.tensors())
    references = model.encode_references(film(1).references)
    for ours, theirs in zip(kept.context(references).layers, other.context(references).layers, strict=True):
        assert torch.equal(ours.k_BSNK, theirs.k_BSNK)
    with pytest.raises(BadInputError, match="does not fit"):
        cache(4, 4).load(kept.tensors())
    with pytest.raises(BadInputError, match="contradict"):
        other.load(kept.tensors() | {"counts": torch.tensor([3, 11])})
    with pytest.raises(BadInputError, match="counts"):
        other.load({name: tensor for name, tensor in kept.tensors().items() if name != "counts"})
