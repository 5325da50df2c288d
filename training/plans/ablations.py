"""`lpm train tiny-ablations`: pairs of runs of equal time that differ in one thing. Nothing is taken on; the figures are the result.

Both of a pair begin with the same weights, the base model of `--parts`, and are measured on the same held-out clips. Minutes from
nothing would compare how two models learn that the anchor in its pose is nearly right.
"""

from dataclasses import dataclass
from typing import Final

from training.data.building import make_clips
from training.plans.older_parts import with_new_layers
from training.plans.plan import MadeStage, Measure, Plan, Recipe, TrainedStage
from training.plans.records import StageRecord
from training.plans.tiny import COMPONENTS, DISTANCE, VELOCITY
from training.recipes import tiny, tiny_ablations, tiny_online
from training.recipes.parts import BASE_FILE
from training.recipes.places import with_num_films
from training.tasks.latent_reader import READER_FILE, READER_FOLDER


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What is compared: the stage as the small pack is trained, and the one without."""

    question: str
    with_it: str
    without_it: str


PAIRS: Final = {
    "references": Pair(
        question="references beside the global one: windows that see them, or the global one in their place",
        with_it="with-references",
        without_it="one-reference",
    ),
    "history": Pair(
        question="the backbone's history: as its last noisy step leaves it, or written again from its clean result",
        with_it="noisy-history",
        without_it="clean-history",
    ),
}


def _alone(name: str, recipe: Recipe, measure: Measure, starts_from: str | None = None) -> TrainedStage:
    """A stage that nothing is taken on of."""
    return TrainedStage(name=name, recipe=recipe, share=20, measure=measure, starts_from=starts_from, gives=())


ABLATIONS: Final = Plan(
    name="tiny-ablations",
    given=(*COMPONENTS, BASE_FILE),
    prepare=with_new_layers,
    packs=False,
    stages=(
        MadeStage(name="clips", share=10, make=make_clips, unit="clips"),
        TrainedStage(
            name="latent-reader",
            recipe=tiny.tiny_latent_reader,
            share=5,
            measure=Measure(name="r_mouth_open", better="higher"),
            starts_from=None,
            gives=(READER_FILE,),
            beside_clips=READER_FOLDER,
        ),
        _alone("with-references", tiny.tiny_base, VELOCITY, BASE_FILE),
        _alone("one-reference", tiny_ablations.tiny_base_one_reference, VELOCITY, BASE_FILE),
        MadeStage(
            name="teacher-films",
            share=5,
            make=tiny_online.make_teacher_films,
            unit="films of the teacher",
            tells=with_num_films,
        ),
        _alone("noisy-history", tiny_online.tiny_online_ode, DISTANCE),
        _alone("clean-history", tiny_online.tiny_online_ode_clean_history, DISTANCE),
    ),
)


def compared(records: dict[str, StageRecord]) -> dict[str, object]:
    """Each pair's figures side by side; all that the task measured, so that nobody has to trust the one that decides."""
    return {
        name: {
            "question": pair.question,
            **{
                side: {
                    "stage": stage,
                    "steps": records[stage].steps,
                    "windows": records[stage].windows,
                    "minutes": round(records[stage].minutes, 2),
                    "measure": records[stage].measure,
                    "before": records[stage].all_before,
                    "after": records[stage].all_after,
                }
                for side, stage in (("with", pair.with_it), ("without", pair.without_it))
            },
        }
        for name, pair in PAIRS.items()
    }
