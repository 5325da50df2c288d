"""A small causal model, conditions cut to chunks, and the slow twins that the rollout is held to."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from engine.flow.guidance import GuidanceScales
from engine.model.chunk import ChunkContext, ChunkInputs, KeysValues, ReferenceContext
from engine.model.rotary import grid_angles, rotate, rotation_of
from engine.model.transformer import DitInputs, Transformer
from engine.model_config import AudioWindow, DitConfig
from engine.motion.plan import MotionModel
from engine.motion.settings import MotionSettings
from engine.online.settings import HistoryWindow
from engine.references import ReferenceLatents

CONFIG = DitConfig(
    dim=32,
    ffn_dim=48,
    num_layers=3,
    num_heads=2,
    patch_size=(1, 1, 1),
    in_channels=4,
    out_channels=4,
    text_dim=10,
    speak_dim=8,
    listen_dim=6,
    frequency_dim=32,
    speak_window=AudioWindow(rows_per_latent=2, rows_before=1, rows_after=1),
    listen_window=AudioWindow(rows_per_latent=1, rows_before=3, rows_after=0),
)
ROWS, COLUMNS = 2, 3
ROW_WIDTH = 5
TOLD = replace(CONFIG, motion_dim=ROW_WIDTH)


def random_model(config: DitConfig = CONFIG, seed: int = 0) -> Transformer:
    """Random everywhere, also where training starts from zero."""
    torch.manual_seed(seed)
    model = Transformer(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def random_motion(config: DitConfig = CONFIG, seed: int = 9, row_width: int = ROW_WIDTH) -> MotionModel:
    """A motion model that plans from what a causal model of `config` hears, guided, behind up to four rows of history."""
    model = random_model(replace(config, in_channels=row_width, out_channels=row_width, motion_dim=0), seed)
    settings = MotionSettings(
        rest=(0.1,) * row_width, history_rows=4, num_steps=2, guidance=GuidanceScales(text=2.0, speak=1.5)
    )
    return MotionModel(transformer=model, settings=settings)


def film(frames: int, batch: int = 2, seed: int = 1) -> DitInputs:
    """A whole film's inputs, each frame with a timestep of its own."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    references_RCHW = normal(2, CONFIG.in_channels, ROWS, COLUMNS)
    return DitInputs(
        latents_BFCHW=normal(batch, frames, CONFIG.in_channels, ROWS, COLUMNS),
        timestep_BF=1000 * torch.rand(batch, frames, generator=generator),
        references=ReferenceLatents.of_names(references_RCHW, [("global", ""), ("expression", "happy")], batch=batch),
        text_BSD=normal(batch, 5, CONFIG.text_dim),
        speak_BAD=normal(batch, 2 * frames, CONFIG.speak_dim),
        listen_BAD=normal(batch, frames, CONFIG.listen_dim),
    )


def chunk_of(inputs: DitInputs, start: int, end: int) -> ChunkInputs:
    """Latents [start, end) of a film with the whole of its sound, whose row 0 lies before the chunk."""
    return ChunkInputs(
        latents_BFCHW=inputs.latents_BFCHW[:, start:end],
        timestep_BF=inputs.timestep_BF[:, start:end],
        text_BSD=inputs.text_BSD,
        speak_BAD=inputs.speak_BAD,
        listen_BAD=inputs.listen_BAD,
        speak_start_row=-start * CONFIG.speak_window.rows_per_latent,
        listen_start_row=-start * CONFIG.listen_window.rows_per_latent,
    )


def bounds(chunks: Sequence[int]) -> list[tuple[int, int]]:
    """First and last latent of chunks of these lengths."""
    ends = [sum(chunks[: index + 1]) for index in range(len(chunks))]
    return [(end - length, end) for length, end in zip(chunks, ends)]


@contextmanager
def dense_mask(monkeypatch: pytest.MonkeyPatch, mask_LL: Tensor) -> Iterator[None]:
    """While it lasts, self-attention is plain softmax attention in float64 under this mask, whatever it is asked for."""

    def attend_densely(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor | None = None) -> Tensor:
        del allowed
        q, k, v = (rearrange(x.double(), "b l n k -> b n l k") for x in (q, k, v))
        return rearrange(F.scaled_dot_product_attention(q, k, v, attn_mask=mask_LL), "b n l k -> b l n k").float()

    with monkeypatch.context() as patch:
        patch.setattr("engine.model.self_attention.attend", attend_densely)
        yield


def block_causal_mask(chunks: Sequence[int], num_references: int = 2) -> Tensor:
    """Video sees its own and earlier chunks and the references; references see references."""
    tokens = ROWS * COLUMNS
    chunk_F = torch.cat([torch.full((length,), index) for index, length in enumerate(chunks)])
    chunk_L = torch.cat([chunk_F.repeat_interleave(tokens), torch.full((num_references * tokens,), -1)])
    return chunk_L[None, :] <= chunk_L[:, None]


def whole_sequence(
    model: Transformer, inputs: DitInputs, chunks: Sequence[int], monkeypatch: pytest.MonkeyPatch
) -> Tensor:
    """All chunks in one forward under the block-causal mask."""
    mask_LL = block_causal_mask(chunks, inputs.references.kinds_BR.shape[1])
    with dense_mask(monkeypatch, mask_LL), torch.no_grad():
        output: Tensor = model(inputs)
    return output


class RebuiltWindows:
    """The slow twin of `KvCache`: keeps every latent's keys for ever, and builds each window from them anew."""

    def __init__(self, history: HistoryWindow) -> None:
        self.history = history
        self.latents: list[tuple[KeysValues, ...]] = []

    def write(self, layers: tuple[KeysValues, ...]) -> None:
        tokens = ROWS * COLUMNS
        for first in range(0, layers[0].k_BSNK.shape[1], tokens):
            part = slice(first, first + tokens)
            self.latents.append(
                tuple(KeysValues(k_BSNK=own.k_BSNK[:, part], v_BSNK=own.v_BSNK[:, part]) for own in layers)
            )

    def context(self, references: ReferenceContext) -> ChunkContext:
        sink, window = self.history.sink_latents, self.history.window_latents
        numbers = [n for n in range(len(self.latents)) if n < sink or n >= len(self.latents) - window]
        is_absolute = self.history.positions == "absolute"
        layers = []
        for layer, reference in enumerate(references.layers):
            keys, values = [reference.k_BSNK], [reference.v_BSNK]
            for place, number in enumerate(numbers):
                time = torch.tensor([[number if is_absolute else place]])
                rotation = rotation_of(grid_angles(time, ROWS, COLUMNS, CONFIG), torch.float32)
                keys.append(rotate(self.latents[number][layer].k_BSNK, rotation))
                values.append(self.latents[number][layer].v_BSNK)
            layers.append(KeysValues(k_BSNK=torch.cat(keys, dim=1), v_BSNK=torch.cat(values, dim=1)))
        first_time = len(self.latents) if is_absolute else len(numbers)
        return ChunkContext(layers=tuple(layers), allowed_BS=None, first_time=first_time)


def with_latents(inputs: DitInputs, change: Callable[[Tensor], Tensor]) -> DitInputs:
    return replace(inputs, latents_BFCHW=change(inputs.latents_BFCHW.clone()))
