"""Fine-tuning of a pack's base model on a folder of clips: `lpm train fine-tune-lora --parts PACK --clips FOLDER -o RUN`.

`--clips` is a folder as `training.fine_tuning.clip_folder` describes it. `lpm train` first measures three real steps and says what the
run will cost. The run's weights go into a pack with `python -m training pack RUN --onto PACK -o NEW --name NAME`.

Nobody knows how the people of such clips move, number by number. So where a pack plans motion before it draws, its base model learns from
them without being told any, what its motion embedding means is left alone, and so is the motion model: clips teach how characters look,
and they go on moving as the pack's plans have it.
"""

import logging

from engine.loaded_pack import load_pack
from engine.packs import file_sha256
from training.dpo.film_scenes import score_of
from training.fine_tuning.clip_folder import read_folder
from training.fine_tuning.estimate import measure_steps
from training.fine_tuning.lora import LoraConfig, add_adapters, numbers_trained
from training.optimizers import OptimizerConfig
from training.recipes import parts
from training.recipes.places import Places
from training.recipes.run import Run
from training.tasks.fine_tuning import FineTuningTask
from training.trainer import TrainerConfig

logger = logging.getLogger(__name__)


def fine_tune(places: Places) -> Run:
    """All weights, carefully."""
    return _run(places, None, learning_rate=2e-5)


def fine_tune_lora(places: Places) -> Run:
    """Adapters of rank 32."""
    return _run(places, LoraConfig(), learning_rate=1e-4)


def _run(places: Places, lora: LoraConfig | None, *, learning_rate: float) -> Run:
    pack = load_pack(places.parts, "cpu")
    transformer = pack.transformer.requires_grad_(True)
    if lora is not None:
        add_adapters(transformer, lora)
    for told in (transformer.motion_embedding, transformer.posed_embedding):
        if told is not None:  # what motion and an anchor in pose mean stays as it is: these clips tell nothing of it
            told.requires_grad_(False)
    task = FineTuningTask(
        score=score_of(pack),
        clips=read_folder(places.clips, pack, least_latents=pack.base.new_latents + 2),
        weights_file=parts.BASE_FILE,
        base_sha256=file_sha256(pack.folder / pack.manifest.component("base").file),
        lora=lora,
    )
    config = TrainerConfig(
        num_steps=3000,
        batch_samples=8,
        optimizer=OptimizerConfig(
            muon_learning_rate=learning_rate,
            adamw_learning_rate=learning_rate,
            weight_decay=0.0,
            adamw_betas=(0.9, 0.99),
        ),
        warmup_steps=100,
        decay_steps=500,
        ema_decay=0.99,
        save_each_steps=250,
        sample_each_steps=250,
    )
    numbers = numbers_trained(transformer)
    logger.info("trains %d of %d numbers on %d clips", numbers["trained"], numbers["all"], len(task.clips))
    logger.info("%s", measure_steps(task, config.batch_samples).line(config.num_steps))
    return Run(task=task, config=config)
