"""Properties of the transformer beyond Wan2.1: which layer hears what, windows, references, timesteps, gradients."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.model.block import Block
from engine.model.cross_attention import window_index
from engine.model.transformer import DitInputs, Transformer
from engine.model_config import AudioWindow, DitConfig
from engine.references import ReferenceLatents

CONFIG = DitConfig(
    dim=48,
    ffn_dim=96,
    num_layers=4,
    num_heads=2,
    patch_size=(1, 1, 1),
    in_channels=6,
    out_channels=6,
    text_dim=10,
    speak_dim=8,
    listen_dim=12,
    frequency_dim=32,
    speak_window=AudioWindow(rows_per_latent=4, rows_before=2, rows_after=2),
    listen_window=AudioWindow(rows_per_latent=2, rows_before=6, rows_after=1),
)
BATCH, FRAMES, ROWS, COLUMNS = 2, 5, 3, 4


def _model(config: DitConfig = CONFIG) -> Transformer:
    """Random everywhere, also where training starts from zero, so that every path shows."""
    torch.manual_seed(0)
    model = Transformer(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def _inputs(references: tuple[tuple[str, str], ...] = (("global", ""), ("view", "left")), grid: int = 3) -> DitInputs:
    torch.manual_seed(1)
    latents_RCHW = torch.randn(len(references), CONFIG.in_channels, grid, grid + 1)
    return DitInputs(
        latents_BFCHW=torch.randn(BATCH, FRAMES, CONFIG.in_channels, ROWS, COLUMNS),
        timestep_BF=torch.tensor([0.0, 0.0, 700.0, 700.0, 700.0]).expand(BATCH, -1),
        references=ReferenceLatents.of_names(latents_RCHW, references, batch=BATCH),
        text_BSD=torch.randn(BATCH, 7, CONFIG.text_dim),
        speak_BAD=torch.randn(BATCH, 4 * FRAMES, CONFIG.speak_dim),
        listen_BAD=torch.randn(BATCH, 2 * FRAMES, CONFIG.listen_dim),
    )


def _forward(model: Transformer, inputs: DitInputs) -> Tensor:
    with torch.no_grad():
        output: Tensor = model(inputs)
    return output


def _blocks(model: Transformer) -> list[Block]:
    return [block for block in model.blocks if isinstance(block, Block)]


def _only_layer(layer: int) -> Transformer:
    """A model in which just this layer hears its sound."""
    model = _model()
    for index, block in enumerate(_blocks(model)):
        if index != layer:
            torch.nn.init.zeros_(block.cross_attn.v_audio.weight)
    return model


@pytest.mark.parametrize("layer", range(CONFIG.num_layers))
def test_even_layers_hear_speech_odd_layers_the_partner(layer: int) -> None:
    model, inputs = _only_layer(layer), _inputs()
    before = _forward(model, inputs)
    hears_speak = not torch.equal(before, _forward(model, replace(inputs, speak_BAD=inputs.speak_BAD + 1)))
    hears_listen = not torch.equal(before, _forward(model, replace(inputs, listen_BAD=inputs.listen_BAD + 1)))
    assert (hears_speak, hears_listen) == ((True, False) if layer % 2 == 0 else (False, True))


@pytest.mark.parametrize("layer", [CONFIG.num_layers - 2, CONFIG.num_layers - 1])
def test_sound_outside_the_window_changes_nothing(layer: int) -> None:
    """Through one cross-attention each row of sound reaches exactly the latent frames whose window holds it."""
    cross_attention = _blocks(_model())[layer].cross_attn
    window = CONFIG.window_of_layer(layer)
    num_rows = FRAMES * window.rows_per_latent
    h_BLD, text_BSD = torch.randn(1, FRAMES * 6, CONFIG.dim), torch.randn(1, 3, CONFIG.dim)
    audio_BAD = torch.randn(1, num_rows, CONFIG.dim)
    windows = window_index(window, FRAMES, num_rows, 0, audio_BAD.device)
    with torch.no_grad():
        before = cross_attention(h_BLD, text_BSD, audio_BAD, windows).reshape(FRAMES, -1)
        for row in range(num_rows):
            changed_BAD = audio_BAD.clone()
            changed_BAD[:, row] += 1
            after = cross_attention(h_BLD, text_BSD, changed_BAD, windows).reshape(FRAMES, -1)
            for frame in range(FRAMES):
                first = frame * window.rows_per_latent - window.rows_before
                is_heard = first <= row < first + window.num_rows
                assert torch.equal(before[frame], after[frame]) != is_heard


def test_earlier_sound_is_counted_from_the_first_latent() -> None:
    """Rows from before the clip, all of them within reach: the same windows as rows cut out of a longer clip."""
    long = window_index(CONFIG.speak_window, 5, 20, 0, torch.device("cpu"))
    cut = window_index(CONFIG.speak_window, 2, 18, -8, torch.device("cpu"))
    assert torch.equal(long.rows_FW[2:4], cut.rows_FW)
    assert torch.equal(cut.exists_FW, torch.ones_like(cut.exists_FW))
    assert not long.exists_FW[0, :2].any()
    assert not long.exists_FW[-1, -2:].any()


def test_zero_audio_values_or_zero_rows_say_nothing() -> None:
    model, inputs = _model(), _inputs()
    silent = replace(
        inputs, speak_BAD=torch.zeros_like(inputs.speak_BAD), listen_BAD=torch.zeros_like(inputs.listen_BAD)
    )
    without_rows = _forward(model, silent)
    assert not torch.allclose(_forward(model, inputs), without_rows)
    for block in _blocks(model):
        torch.nn.init.zeros_(block.cross_attn.v_audio.weight)
    torch.testing.assert_close(_forward(model, inputs), without_rows)


def test_where_in_its_window_a_row_stands_is_heard() -> None:
    """Two rows of the first latent's own window, exchanged: the same set of rows, another film."""
    model, inputs = _only_layer(0), _inputs()
    exchanged = inputs.speak_BAD.clone()
    exchanged[:, [0, 1]] = exchanged[:, [1, 0]]
    first = _forward(model, inputs)[:, 0]
    assert not torch.allclose(first, _forward(model, replace(inputs, speak_BAD=exchanged))[:, 0], atol=1e-5)


def test_a_fresh_model_does_not_hear() -> None:
    model, inputs = Transformer(CONFIG).eval(), _inputs()
    torch.nn.init.normal_(model.head.head.weight)
    assert torch.equal(_forward(model, inputs), _forward(model, replace(inputs, speak_BAD=inputs.speak_BAD * 3)))


def test_order_of_references_does_not_matter_but_their_kind_does() -> None:
    model, inputs = _model(), _inputs((("global", ""), ("view", "left"), ("expression", "happy")))
    before, references, order = _forward(model, inputs), inputs.references, [2, 0, 1]
    turned = ReferenceLatents(
        latents_BRCHW=references.latents_BRCHW[:, order],
        kinds_BR=references.kinds_BR[:, order],
        subtypes_BR=references.subtypes_BR[:, order],
    )
    torch.testing.assert_close(_forward(model, replace(inputs, references=turned)), before, rtol=1e-4, atol=1e-5)
    mistaken = replace(references, subtypes_BR=references.subtypes_BR + torch.tensor([0, 1, 0]))
    assert not torch.allclose(_forward(model, replace(inputs, references=mistaken)), before, atol=1e-4)


def test_an_absent_reference_is_as_if_it_were_not_there() -> None:
    model, inputs = _model(), _inputs()
    references = inputs.references
    absent = replace(references, present_BR=torch.tensor([[True, False], [True, True]]))
    masked = _forward(model, replace(inputs, references=absent))
    left_out = ReferenceLatents(
        latents_BRCHW=references.latents_BRCHW[:, :1],
        kinds_BR=references.kinds_BR[:, :1],
        subtypes_BR=references.subtypes_BR[:, :1],
    )
    torch.testing.assert_close(masked[0], _forward(model, replace(inputs, references=left_out))[0])
    torch.testing.assert_close(masked[1], _forward(model, inputs)[1])
    none = replace(inputs, references=ReferenceLatents.none_for(inputs.latents_BFCHW))
    assert _forward(model, none).shape == inputs.latents_BFCHW.shape


@pytest.mark.parametrize("grid", [2, 3, 6])
def test_references_may_have_a_grid_of_their_own(grid: int) -> None:
    """Tokens of a reference always carry timestep 0, however its grid divides the video's."""
    model, inputs = _model(), _inputs(grid=grid)
    assert _forward(model, inputs).shape == inputs.latents_BFCHW.shape
    _, time_BGMD = model._embed_time(inputs, ROWS * COLUMNS)
    tokens = FRAMES * ROWS * COLUMNS + 2 * grid * (grid + 1)
    per_token = time_BGMD.repeat_interleave(tokens // time_BGMD.shape[1], dim=1)
    assert per_token.shape[1] == tokens
    clean_tokens = 2 * ROWS * COLUMNS
    assert torch.equal(per_token[:, :1].expand(-1, clean_tokens, -1, -1), per_token[:, :clean_tokens])
    assert torch.equal(per_token[:, -1], per_token[:, 0])
    assert not torch.equal(per_token[:, clean_tokens], per_token[:, 0])


def test_each_frame_has_its_own_timestep() -> None:
    model, inputs = _model(), _inputs()
    other = inputs.timestep_BF.clone()
    other[:, 3] = 100
    changed = (_forward(model, replace(inputs, timestep_BF=other)) - _forward(model, inputs)).abs().amax((0, 2, 3, 4))
    assert changed.argmax() == 3


def test_patches_and_unequal_sides_keep_rows_and_columns_apart() -> None:
    config = replace(CONFIG, patch_size=(1, 2, 2))
    inputs = _inputs(grid=4)
    latents_BFCHW = torch.randn(BATCH, FRAMES, CONFIG.in_channels, 4, 6)
    references = ReferenceLatents.none_for(latents_BFCHW)
    output = _forward(_model(config), replace(inputs, latents_BFCHW=latents_BFCHW, references=references))
    assert output.shape == latents_BFCHW.shape


def test_gradients_reach_every_parameter_and_condition() -> None:
    model = _model()
    inputs = _inputs()
    conditions = [inputs.latents_BFCHW, inputs.text_BSD, inputs.speak_BAD, inputs.listen_BAD]
    conditions = [tensor.clone().requires_grad_() for tensor in conditions]
    latents, text, speak, listen = conditions
    model(replace(inputs, latents_BFCHW=latents, text_BSD=text, speak_BAD=speak, listen_BAD=listen)).sum().backward()
    for name, tensor in [*model.named_parameters(), *enumerate(conditions)]:
        assert tensor.grad is not None, name
        assert torch.isfinite(tensor.grad).all(), name
        assert tensor.grad.abs().sum() > 0, name


def test_autocast_stays_close_to_float32() -> None:
    model, inputs = Transformer(CONFIG), _inputs()
    torch.nn.init.normal_(model.head.head.weight, std=0.1)
    exact = _forward(model, inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = _forward(model, inputs)
    assert rounded.dtype == torch.float32
    assert (rounded - exact).abs().mean() < 0.03 * exact.abs().mean()


def test_wrong_shapes_are_refused_by_name() -> None:
    model, inputs = _model(), _inputs()
    with pytest.raises(ValueError, match="speak rows"):
        model(replace(inputs, speak_BAD=inputs.listen_BAD))
    with pytest.raises(ValueError, match="do not reach all"):
        model(replace(inputs, speak_BAD=inputs.speak_BAD[:, :8]))
    with pytest.raises(ValueError, match="timestep_BF"):
        model(replace(inputs, timestep_BF=inputs.timestep_BF[:, :1]))
