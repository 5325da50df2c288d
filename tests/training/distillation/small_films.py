"""Films and models of the smallest sizes for the stages of distillation; models are told motion unless a test says otherwise."""

from dataclasses import replace

import torch
from torch import nn

from engine.flow.preconditioning import preconditioning_named
from engine.model.transformer import Transformer
from engine.model_config import AudioWindow, DitConfig
from engine.motion.plan import MotionModel
from engine.motion.settings import MotionSettings
from engine.online.settings import OnlineSettings
from engine.references import ReferenceLatents
from training.distillation.films import Film
from training.distillation.teacher import WindowedScore

CHANNELS, ROWS, LATENTS, ROW_WIDTH = 3, 2, 6, 5
CONFIG = DitConfig(
    dim=24,
    ffn_dim=32,
    num_layers=2,
    num_heads=2,
    patch_size=(1, 1, 1),
    in_channels=CHANNELS,
    out_channels=CHANNELS,
    text_dim=5,
    speak_dim=4,
    listen_dim=4,
    motion_dim=ROW_WIDTH,
    frequency_dim=16,
    speak_window=AudioWindow(rows_per_latent=1, rows_before=0, rows_after=0),
    listen_window=AudioWindow(rows_per_latent=1, rows_before=2, rows_after=0),
)
NOT_TOLD = replace(CONFIG, motion_dim=0)
SETTINGS = OnlineSettings(
    chunk_latents=3,
    chunk_choices=(6, 3, 2),
    sink_chunks=1,
    window_chunks=1,
    preconditioning="around_reference",
    residual_std=(0.8, 1.0, 1.0, 0.8),
    history_share=0.5,
)
GRID = SETTINGS.residual_std


def small_film(batch: int = 2, seed: int = 0, num_latents: int = LATENTS) -> Film:
    """Random films with all conditions."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    references_RCHW = normal(2, CHANNELS, ROWS, ROWS)
    names = [("global", ""), ("expression", "happy")]
    return Film(
        latents_BFCHW=normal(batch, num_latents, CHANNELS, ROWS, ROWS),
        first_BCHW=normal(batch, CHANNELS, ROWS, ROWS),
        references=ReferenceLatents.of_names(references_RCHW, names, batch=batch),
        text_BFSD=normal(batch, num_latents, 3, 5),
        speak_BAD=normal(batch, num_latents + 1, 4),
        listen_BAD=normal(batch, num_latents + 3, 4),
        motion_BFM=normal(batch, num_latents, ROW_WIDTH),
    )


def small_model(seed: int = 0, config: DitConfig = CONFIG) -> Transformer:
    """Random weights, none of them zero."""
    torch.manual_seed(seed)
    model = Transformer(config)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


def small_score(seed: int = 7, window_latents: int = 3, config: DitConfig = CONFIG) -> WindowedScore:
    """A frozen base model in windows."""
    return WindowedScore(
        transformer=small_model(seed, config).requires_grad_(False),
        precondition=preconditioning_named(SETTINGS.preconditioning, GRID, SETTINGS.history_share),
        window_latents=window_latents,
        history_error=0.3,
    )


def small_motion() -> MotionModel:
    """A motion model that hears what the models hear, behind up to four rows of history."""
    planner = replace(NOT_TOLD, in_channels=ROW_WIDTH, out_channels=ROW_WIDTH)
    settings = MotionSettings(rest=(0.1,) * ROW_WIDTH, history_rows=4, num_steps=2)
    return MotionModel(transformer=small_model(9, planner).requires_grad_(False), settings=settings)
