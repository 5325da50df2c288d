"""The recipes of the pack that ships: `tiny-vae`, `tiny-speech`, `tiny-text` and `tiny-base`, in the order they are run."""

from engine.codec.folded_vae import FoldedVae, FoldedVaeConfig
from training.data.portraits import PortraitSamples
from training.objectives.codec import CodecLossConfig
from training.optimizers import OptimizerConfig
from training.recipes.run import Run
from training.tasks.codec import CodecTask
from training.trainer import TrainerConfig

SIZE_PX = 192


CODEC_FILE = "codec.safetensors"


def tiny_vae() -> Run:
    """The folded VAE at 192 px, 24x spatial, four frames a latent: about half an hour on two cores with bf16."""
    return Run(task=_codec_task(trains_encoder=True), config=_codec_config(), weights_file=CODEC_FILE)


def tiny_vae_decoder() -> Run:
    """The decoder alone, further: latents stay what they are, so a base model in training is not disturbed."""
    return Run(task=_codec_task(trains_encoder=False), config=_codec_config(), weights_file=CODEC_FILE)


def _codec_task(*, trains_encoder: bool) -> CodecTask:
    return CodecTask(
        codec=FoldedVae(FoldedVaeConfig()),
        loss_config=CodecLossConfig(),
        samples=PortraitSamples(size_px=SIZE_PX, num_frames=8),
        trains_encoder=trains_encoder,
    )


def _codec_config() -> TrainerConfig:
    return TrainerConfig(
        num_steps=1200,
        batch_samples=10,
        optimizer=OptimizerConfig(muon_learning_rate=0.01, adamw_learning_rate=1e-3, clip_norm=1.0),
        warmup_steps=40,
        decay_steps=400,
        ema_decay=0.99,
        save_each_steps=50,
        sample_each_steps=100,
        report_each_steps=5,
    )
