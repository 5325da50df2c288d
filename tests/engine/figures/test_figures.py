"""Parameters, work and memory: the parts add up, the formulas are what torch counts, and the presets are the paper's sizes."""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.errors import BadInputError
from engine.figures.flops import audio_rows, forward_flops
from engine.figures.memory import cache_bytes, matrix_numbers, memory_by_precision
from engine.figures.parameters import part_of, transformer_parameters
from engine.figures.workload import Workload, size_named, workload_for
from engine.model.attend import using
from engine.model.transformer import DitInputs, Transformer
from engine.model_config import AudioWindow, DitConfig, dit_preset
from engine.references import ReferenceLatents

SMALL = DitConfig(
    dim=24,
    ffn_dim=40,
    num_layers=3,
    num_heads=2,
    patch_size=(1, 2, 2),
    in_channels=4,
    out_channels=4,
    text_dim=10,
    speak_dim=6,
    listen_dim=7,
    frequency_dim=16,
    speak_window=AudioWindow(rows_per_latent=4, rows_before=2, rows_after=1),
    listen_window=AudioWindow(rows_per_latent=2, rows_before=5, rows_after=0),
)
SHOWN = replace(SMALL, is_shown_posed_anchor=True)
LATENTS = 3
TEXT_ROWS = 9


def whole_forward(num_references: int, config: DitConfig = SMALL) -> Workload:
    return workload_for(
        config,
        8,
        (96, 64),
        chunk_latents=LATENTS,
        context_chunks=1,
        num_references=num_references,
        text_rows=TEXT_ROWS,
    )


def inputs_for(work: Workload) -> DitInputs:
    rows, columns = work.geometry.latent_rows, work.geometry.latent_columns
    names = [("global", ""), ("view", "left")][: work.num_references]
    speak, listen = SMALL.speak_window, SMALL.listen_window
    return DitInputs(
        latents_BFCHW=torch.randn(1, LATENTS, 4, rows, columns),
        timestep_BF=torch.full((1, LATENTS), 500.0),
        references=ReferenceLatents.of_names(torch.randn(len(names), 4, rows, columns), names),
        text_BSD=torch.randn(1, TEXT_ROWS, SMALL.text_dim),
        speak_BAD=torch.randn(1, audio_rows(speak, LATENTS), SMALL.speak_dim),
        listen_BAD=torch.randn(1, audio_rows(listen, LATENTS), SMALL.listen_dim),
        speak_start_row=-speak.rows_before,
        listen_start_row=-listen.rows_before,
    )


def counted_flops(model: Transformer, inputs: DitInputs) -> dict[str, int]:
    """What torch counts, by module."""
    with torch.no_grad(), using("math"), FlopCounterMode(display=False) as counter:
        model(inputs)
    return {module: sum(operations.values()) for module, operations in counter.get_flop_counts().items()}


@pytest.mark.parametrize("config", [SMALL, SHOWN], ids=["plain", "shown a posed anchor"])
@pytest.mark.parametrize("num_references", [0, 2])
def test_the_formulas_are_what_torch_counts(
    num_references: int, config: DitConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Torch writes the norms' dot products as matrix products of one row; they are no part of the formulas.
    monkeypatch.setattr(torch.linalg, "vecdot", lambda a, b: (a * b).sum(-1))
    torch.manual_seed(0)
    work = whole_forward(num_references, config)
    formula = forward_flops(config, work)
    inputs = inputs_for(work)
    posed = replace(inputs.references, posed_BFCHW=torch.randn_like(inputs.latents_BFCHW))
    counted = counted_flops(Transformer(config), replace(inputs, references=posed))

    def in_blocks(suffix: str) -> int:
        return sum(flops for module, flops in counted.items() if ".blocks." in module and module.endswith(suffix))

    assert formula["self_attention"] + formula["self_attention_projections"] == in_blocks(".self_attn")
    assert formula["feed_forward"] == in_blocks(".ffn")
    told = ("text_attention", "text_projections", "audio_attention", "audio_projections")
    assert sum(formula[part] for part in told) == in_blocks(".cross_attn")
    assert formula["audio_projections"] == sum(in_blocks(f".cross_attn.{name}_audio") for name in "kvo")
    assert formula["head"] == counted["Transformer.head"]
    assert sum(formula.values()) == counted["Global"]


def test_the_17b_is_the_papers() -> None:
    config = dit_preset("17b")
    parameters = transformer_parameters(config)
    assert parameters.base + parameters.audio == parameters.total == sum(parameters.by_part.values())
    assert parameters.base == 14_288_491_584  # Wan2.1 T2V 14B as published
    assert parameters.audio == pytest.approx(3.2e9, rel=0.01)
    assert round(parameters.total / 1e9) == 17
    work = workload_for(config, 8, (832, 480))
    assert (work.geometry.tokens_per_latent, work.geometry.tokens_per_chunk, work.context_tokens) == (1560, 9360, 46800)
    assert sum(forward_flops(config, work).values()) == pytest.approx(0.60e15, rel=0.02)
    assert cache_bytes(config, work) == 38_338_560_000


def test_the_small_preset_is_the_published_1_3b_and_sound() -> None:
    assert transformer_parameters(dit_preset("small")).base == 1_418_996_800


def test_every_weight_of_a_model_that_is_shown_a_posed_anchor_is_counted() -> None:
    with torch.device("meta"):
        total = sum(parameter.numel() for parameter in Transformer(SHOWN).parameters())
    parameters = transformer_parameters(SHOWN)
    assert parameters.total == total
    assert parameters.by_part["posed_embedding"] == 4 * 2 * 2 * 24
    assert "posed_embedding" not in transformer_parameters(SMALL).by_part


@pytest.mark.parametrize("name", ["tiny", "small", "17b"])
def test_counting_allocates_nothing_and_every_weight_has_a_part(name: str) -> None:
    config = dit_preset(name)
    with torch.device("meta"):
        model = Transformer(config)
    assert all(parameter.is_meta for parameter in model.parameters())
    total = sum(parameter.numel() for parameter in model.parameters())
    assert total == transformer_parameters(config).total
    matrices = [
        parameter
        for parameter_name, parameter in model.named_parameters()
        if parameter_name.startswith("blocks.") and parameter.ndim == 2
    ]
    assert matrix_numbers(config) == (sum(map(torch.numel, matrices)), sum(len(matrix) for matrix in matrices))


def test_a_part_that_nobody_claims_is_an_error() -> None:
    with pytest.raises(KeyError):
        part_of("blocks.0.surprise.weight")


def test_more_context_costs_attention_and_cache_and_nothing_else() -> None:
    config = dit_preset("17b")
    near, far = (workload_for(config, 8, (832, 480), context_chunks=chunks) for chunks in (2, 4))
    more, less = forward_flops(config, far), forward_flops(config, near)
    assert more["self_attention"] == 2 * less["self_attention"]
    assert {part: flops for part, flops in more.items() if part != "self_attention"} == {
        part: flops for part, flops in less.items() if part != "self_attention"
    }
    assert cache_bytes(config, far) == 2 * cache_bytes(config, near)
    assert cache_bytes(config, workload_for(config, 8, (832, 480), context_chunks=1)) == 0


def test_cached_references_are_looked_at_and_not_computed() -> None:
    config = dit_preset("small")
    without, cached = (workload_for(config, 8, (832, 480), num_references=number) for number in (0, 3))
    along = workload_for(config, 8, (832, 480), num_references=3, context_chunks=1)
    assert cached.key_tokens - without.key_tokens == 3 * 1560
    assert cached.computed_tokens == without.computed_tokens
    assert along.computed_tokens == without.computed_tokens + 3 * 1560


def test_fewer_bits_need_less_memory() -> None:
    config = dit_preset("17b")
    parameters = transformer_parameters(config)
    figures = memory_by_precision(config, workload_for(config, 8, (832, 480)), parameters)
    assert figures["float32"].weights_bytes == 2 * figures["bfloat16"].weights_bytes == 4 * parameters.total
    assert 0.50 < figures["int8"].weights_bytes / figures["bfloat16"].weights_bytes < 0.52
    assert figures["bfloat16"].total_bytes > 70e9 > figures["float8"].weights_bytes


@pytest.mark.parametrize("size", [(832, 480), (480, 832), (1280, 720), (720, 1280), (16, 16), (2000, 16)])
def test_any_multiple_of_the_patch_is_a_size(size: tuple[int, int]) -> None:
    work = workload_for(dit_preset("17b"), 8, size)
    assert work.geometry.tokens_per_latent * 256 == size[0] * size[1]


@pytest.mark.parametrize(("text", "size"), [("480p", (832, 480)), ("720p", (1280, 720)), ("480x832", (480, 832))])
def test_sizes_are_written_as_people_write_them(text: str, size: tuple[int, int]) -> None:
    assert size_named(text) == size


@pytest.mark.parametrize("text", ["", "832", "832x", "axb", "0x480", "-1x480", "832x480x3", "8320000x480", "8 x 8"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="is no size; write"):
        size_named(text)


def test_a_size_that_does_not_divide_names_the_nearest_that_does() -> None:
    with pytest.raises(BadInputError, match="the nearest size that does is 848x480"):
        workload_for(dit_preset("17b"), 8, (850, 480))
    with pytest.raises(BadInputError, match="at least one latent"):
        workload_for(dit_preset("17b"), 8, (832, 480), chunk_latents=0)
    with pytest.raises(BadInputError, match="at least the chunk itself"):
        workload_for(dit_preset("17b"), 8, (832, 480), context_chunks=0)
