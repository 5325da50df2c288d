"""A base model's task of a few thousand parameters, on clips of noise, for tests of whatever is built around it."""

from dataclasses import replace

import torch

from engine.codec.folded_vae import FoldedVae
from engine.flow.preconditioning import preconditioning_named
from engine.model.transformer import Transformer
from engine.model_config import AudioWindow
from tests.engine.small_pack import BASE, CODEC
from training.actor.state import NUM_CHANNELS
from training.data.windows import ClipFeatures, WindowConfig
from training.objectives.flow_matching import FlowMatchingConfig, StateReadout
from training.tasks.base_model import BaseModel, BaseModelTask

NUM_CLIPS, NUM_LATENTS, GRID = 4, 24, 4
ONE_ROW = AudioWindow(rows_per_latent=1, rows_before=0, rows_after=0)
WIDTH = 8


def clips_of_noise() -> ClipFeatures:
    """Features of the right shapes, of which only the states and masks are sensible."""
    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(NUM_CLIPS, *shape, generator=generator).half()

    latent = (CODEC.latent_channels, GRID, GRID)
    return ClipFeatures(
        clips={
            "number": torch.arange(NUM_CLIPS),
            "latents_FCHW": noise(NUM_LATENTS, *latent),
            "first_CHW": noise(*latent),
            "altered_starts_N": torch.tensor([[2, 9]]).expand(NUM_CLIPS, -1),
            "altered_NCHW": noise(2, *latent),
            "references_RCHW": noise(3, *latent),
            "reference_indices_R": torch.tensor([[0, 2, 7]]).expand(NUM_CLIPS, -1),
            "state_TK": noise(NUM_LATENTS * CODEC.frames_per_latent, NUM_CHANNELS).abs(),
            "mouth_FHW": torch.ones(NUM_CLIPS, NUM_LATENTS, GRID, GRID).half(),
            "eyes_FHW": torch.zeros(NUM_CLIPS, NUM_LATENTS, GRID, GRID).half(),
            "text_of_latent_F": torch.zeros(NUM_CLIPS, NUM_LATENTS, dtype=torch.long),
        },
        speak_NAD=noise(NUM_LATENTS, WIDTH),
        listen_NAD=noise(NUM_LATENTS + 2, WIDTH),
        text_NCLD=noise(4, 6, WIDTH),
    )


def small_base_task() -> BaseModelTask:
    """Every sample stands at full noise, and every window that follows begins with the model's own latent."""
    torch.manual_seed(0)
    config = replace(
        BASE,
        text_dim=WIDTH,
        speak_dim=WIDTH,
        listen_dim=WIDTH,
        speak_window=ONE_ROW,
        listen_window=AudioWindow(rows_per_latent=1, rows_before=2, rows_after=0),
    )
    transformer = Transformer(config)
    torch.nn.init.normal_(transformer.head.head.weight, std=0.1)
    features = clips_of_noise()
    return BaseModelTask(
        base=BaseModel(transformer, StateReadout(config.dim, GRID * GRID, CODEC.frames_per_latent)),
        precondition=preconditioning_named("around_reference", (1.0,), 0.8),
        flow=FlowMatchingConfig(full_noise_share=1.0, history_noise=0.0),
        window=replace(WindowConfig(), own_history_share=1.0, altered_share=0.0),
        features=features,
        held_out=features,
        codec=FoldedVae(CODEC),
        num_held_out=2,
    )
