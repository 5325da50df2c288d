"""A transformer that is told motion: rows of zeros say nothing, each row acts on its own latent, chunks agree with the whole."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from engine.figures.flops import forward_flops
from engine.figures.workload import workload_for
from engine.flow.guidance import GuidanceScales, guide
from engine.model.attend import using
from engine.model.chunk import ChunkContext, ChunkInputs
from engine.model.transformer import DitInputs, Transformer
from engine.model_config import AudioWindow, DitConfig
from engine.references import ReferenceLatents

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
    motion_dim=5,
    speak_window=AudioWindow(rows_per_latent=1, rows_before=0, rows_after=0),
    listen_window=AudioWindow(rows_per_latent=1, rows_before=2, rows_after=0),
)
BATCH, FRAMES, ROWS, COLUMNS = 2, 4, 4, 6


@pytest.fixture(scope="module")
def model() -> Transformer:
    """Random everywhere, also where training starts from zero."""
    torch.manual_seed(0)
    model = Transformer(CONFIG).eval().requires_grad_(False)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return model


def inputs(names: tuple[tuple[str, str], ...] = (("global", ""),)) -> DitInputs:
    generator = torch.Generator().manual_seed(1)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return DitInputs(
        latents_BFCHW=noise(BATCH, FRAMES, CONFIG.in_channels, ROWS, COLUMNS),
        timestep_BF=torch.tensor([0.0, 600.0, 600.0, 600.0]).expand(BATCH, -1),
        references=ReferenceLatents.of_names(noise(len(names), CONFIG.in_channels, ROWS, COLUMNS), names, batch=BATCH),
        text_BSD=noise(BATCH, 7, CONFIG.text_dim),
        speak_BAD=noise(BATCH, FRAMES, CONFIG.speak_dim),
        listen_BAD=noise(BATCH, FRAMES, CONFIG.listen_dim),
        motion_BFM=noise(BATCH, FRAMES, CONFIG.motion_dim),
    )


def test_rows_of_zeros_tell_nothing(model: Transformer) -> None:
    untold = model(replace(inputs(), motion_BFM=None))
    assert torch.equal(model(replace(inputs(), motion_BFM=torch.zeros(BATCH, FRAMES, CONFIG.motion_dim))), untold)
    assert not torch.allclose(model(inputs()), untold, atol=1e-2)


def test_a_new_model_adds_nothing_of_motion_and_yet_learns_of_it() -> None:
    torch.manual_seed(0)
    model = Transformer(CONFIG)
    torch.nn.init.normal_(model.head.head.weight, std=0.1)
    told = model(inputs())
    assert torch.equal(told, model(replace(inputs(), motion_BFM=None)))
    told.square().mean().backward()
    assert model.motion_embedding is not None
    gradient = model.motion_embedding.last.weight.grad
    assert gradient is not None
    assert (gradient.abs().sum(dim=1) > 0).all(), "both to time and to the tokens"


def test_weights_of_a_model_without_motion_are_as_many_as_ever() -> None:
    plain = Transformer(replace(CONFIG, motion_dim=0))
    assert plain.motion_embedding is None
    added = set(Transformer(CONFIG).state_dict()) - set(plain.state_dict())
    assert added == {f"motion_embedding.layers.{layer}.{name}" for layer in (0, 2) for name in ("weight", "bias")}


@pytest.mark.parametrize("latent", range(FRAMES))
def test_without_attention_a_row_acts_on_its_own_latent_alone(latent: int) -> None:
    torch.manual_seed(0)
    deaf = Transformer(CONFIG).eval().requires_grad_(False)
    for name, parameter in deaf.named_parameters():
        if ".self_attn.o." in name:
            torch.nn.init.zeros_(parameter)
        else:
            torch.nn.init.normal_(parameter, std=0.15)
    given = inputs()
    assert given.motion_BFM is not None
    changed_BFM = given.motion_BFM.clone()
    changed_BFM[:, latent] += 1.0
    before, after = deaf(given), deaf(replace(given, motion_BFM=changed_BFM))
    is_changed_F = (before != after).flatten(2).any(dim=2).any(dim=0)
    assert is_changed_F.tolist() == [place == latent for place in range(FRAMES)]


def test_attention_carries_it_on_and_samples_do_not_mix(model: Transformer) -> None:
    given = inputs()
    assert given.motion_BFM is not None
    changed_BFM = given.motion_BFM.clone()
    changed_BFM[0, 1] += 1.0
    before, after = model(given), model(replace(given, motion_BFM=changed_BFM))
    assert (before[0] != after[0]).flatten(1).any(dim=1).all()
    torch.testing.assert_close(before[1], after[1], rtol=0, atol=1e-5)


def test_rows_for_other_latents_are_refused(model: Transformer) -> None:
    for shape in ((BATCH, FRAMES - 1, CONFIG.motion_dim), (BATCH, FRAMES, CONFIG.motion_dim + 1), (1, FRAMES, 5)):
        with pytest.raises(ValueError, match="motion_BFM has shape"):
            model(replace(inputs(), motion_BFM=torch.zeros(shape)))


def test_a_chunk_that_is_told_the_same_is_the_whole(model: Transformer) -> None:
    given = inputs(names=())  # in `forward` references see the video, in a context they do not
    context = ChunkContext(layers=model.encode_references(given.references).layers, first_time=0, allowed_BS=None)
    fields = ("latents_BFCHW", "timestep_BF", "text_BSD", "speak_BAD", "listen_BAD", "motion_BFM")
    chunk = ChunkInputs(**{name: getattr(given, name) for name in fields})
    torch.testing.assert_close(model.forward_chunk(chunk, context).output_BFCHW, model(given), rtol=1e-4, atol=1e-4)
    untold = model.forward_chunk(replace(chunk, motion_BFM=None), context).output_BFCHW
    assert not torch.allclose(untold, model(given), atol=1e-2)


def test_guidance_tells_every_branch_the_same_motion(model: Transformer) -> None:
    scales = GuidanceScales(text=1.5, speak=2.0, listen=3.0)
    at_once = guide(model, inputs(), scales)
    torch.testing.assert_close(at_once, guide(model, inputs(), scales, branches_at_once=1), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(at_once, guide(model, replace(inputs(), motion_BFM=None), scales), atol=1e-2)


def test_the_formula_of_its_work_is_what_torch_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    # Torch writes the norms' dot products as matrix products of one row; they are no part of the formulas.
    monkeypatch.setattr(torch.linalg, "vecdot", lambda a, b: (a * b).sum(-1))
    work = workload_for(CONFIG, 8, (48, 32), chunk_latents=FRAMES, context_chunks=1, num_references=1, text_rows=7)
    given = inputs()
    one = replace(
        given,
        latents_BFCHW=given.latents_BFCHW[:1],
        timestep_BF=given.timestep_BF[:1],
        references=ReferenceLatents.of_names(given.references.latents_BRCHW[0], (("global", ""),)),
        text_BSD=given.text_BSD[:1],
        speak_BAD=given.speak_BAD[:1],
        listen_BAD=torch.randn(1, FRAMES + 2, CONFIG.listen_dim),
        listen_start_row=-2,
        motion_BFM=torch.ones(1, FRAMES, CONFIG.motion_dim),
    )
    with torch.no_grad(), using("math"), FlopCounterMode(display=False) as counter:
        Transformer(CONFIG)(one)
    assert sum(forward_flops(CONFIG, work).values()) == counter.get_total_flops()
