"""Direct preference optimisation of any pack's base model, on films that people judged: `lpm train dpo --parts PACK --clips VOTES -o RUN`.

VOTES is a folder as `training.dpo.pairs` describes it: `pairs.jsonl`, and in `scenes` the films that were compared
(`python -m training films-to-judge` makes them). This is the paper's own DPO (3.2), of what is drawn; RUN goes into a pack with
`python -m training pack RUN --onto PACK -o NEW`. Small packs, which plan motion before they draw, have `tiny-dpo` for the plan.
"""

import logging
from functools import partial

from engine.flow.noising import SigmaSampling
from engine.loaded_pack import load_pack
from engine.model.transformer import Transformer
from training.dpo.film_scenes import film_errors, score_of
from training.dpo.pairs import FILMS, PAIRS_NAME, read_pairs
from training.objectives.dpo import DpoConfig
from training.optimizers import OptimizerConfig
from training.recipes import parts
from training.recipes.places import Places
from training.recipes.run import NothingToLearn, Run
from training.tasks.preference import Pairs, PreferenceTask
from training.trainer import TrainerConfig

logger = logging.getLogger(__name__)

HELD_OUT_EACH = 8  # scenes of which one is held out
LEAST_PAIRS = 8
SIGMA_SHIFT = 5.0


def dpo(places: Places) -> Run:
    """The policy begins as the pack's base model, which stays as the reference."""
    pack = load_pack(places.parts, "cpu")
    pairs = read_pairs(places.clips / PAIRS_NAME)
    learned, held_out = Pairs(folder=places.clips, pairs=tuple(pairs), candidates=FILMS).parted(HELD_OUT_EACH)
    if len(learned.pairs) < LEAST_PAIRS:
        raise NothingToLearn(
            f"{places.clips / PAIRS_NAME} has {len(pairs)} votes, of which {len(held_out.pairs)} are held out; "
            f"it takes at least {LEAST_PAIRS} others, on different scenes"
        )
    reference = pack.transformer
    policy = Transformer(reference.config)
    policy.load_state_dict(reference.state_dict())
    config = DpoConfig()
    task = PreferenceTask(
        policy=policy,
        reference=reference,
        error=partial(film_errors, config, score_of(pack)),
        config=config,
        sigma=SigmaSampling(kind="uniform", shift=SIGMA_SHIFT),
        trained_on=learned,
        held_out_pairs=held_out,
        weights_file=parts.BASE_FILE,
    )
    logger.info("%d votes to learn from, %d held out", len(learned.pairs), len(held_out.pairs))
    return Run(
        task=task,
        config=TrainerConfig(
            num_steps=200,
            batch_samples=8,
            optimizer=OptimizerConfig(muon_learning_rate=1e-4, adamw_learning_rate=2e-5, weight_decay=0.0),
            warmup_steps=20,
            decay_steps=60,
            ema_decay=0.97,
            save_each_steps=25,
            sample_each_steps=25,
            report_each_steps=5,
        ),
    )
