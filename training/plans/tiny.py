"""`lpm train tiny`: the small pack, stage by stage (paper 3.2, 4.3). Shares are of the time that is given.

`tiny-painting`, `tiny-online`, `tiny-retouching` and `tiny-preferences` are parts of it alone, for the models of `--parts`.
"""

from dataclasses import replace
from typing import Final

from training.data.building import make_clips
from training.packing import BACKBONE_FILE, REFINER_FILE
from training.plans.older_parts import with_new_layers
from training.plans.plan import MadeStage, Measure, Plan, TrainedStage
from training.recipes import tiny, tiny_dpo, tiny_motion, tiny_online, tiny_retouch
from training.recipes.fine_codec import make_fine_channels
from training.recipes.parts import (
    BASE_FILE,
    CHINESE_FILE,
    CODEC_FILE,
    LISTEN_FILE,
    MATTE_FILE,
    MOTION_FILE,
    PAINT_FILE,
    POSING_FILE,
    RETOUCH_FILE,
    SPEAK_FILE,
    TEXT_FILE,
)
from training.recipes.places import with_num_films, with_num_scenes
from training.tasks.base_model import READOUT_FILE
from training.tasks.distillation import CRITIC_FILE
from training.tasks.latent_reader import READER_FILE, READER_FOLDER

# One step answers at full noise, so the error there is what a film is wrong by.
VELOCITY: Final = Measure(name="held_out_velocity_1.0", better="lower")
PICTURES: Final = Measure(name="held_out_pictures", better="lower")
DISTANCE: Final = Measure(name="held_out_distance", better="lower")
# Of mouth and eyes, in films that the base model drew.
RETOUCHED: Final = Measure(name="held_out_focus_psnr_db", better="higher")
# Of mouth and eyes too, in portraits at rest.
PAINTED: Final = RETOUCHED
# The policy begins as its own reference: plans of the same noise are the same, and none dominates.
WINS: Final = Measure(name="held_out_wins", better="higher", least=0.0)
COMPONENTS: Final = (
    CODEC_FILE,
    SPEAK_FILE,
    LISTEN_FILE,
    TEXT_FILE,
    CHINESE_FILE,
    POSING_FILE,
    MATTE_FILE,
    PAINT_FILE,
    RETOUCH_FILE,
)

TINY: Final = Plan(
    name="tiny",
    given=COMPONENTS,
    prepare=with_new_layers,
    stages=(
        MadeStage(name="clips", share=10, make=make_clips, unit="clips"),
        MadeStage(name="performances", share=3, make=tiny_motion.make_performances, unit="performances"),
        TrainedStage(
            name="motion",
            recipe=tiny_motion.tiny_motion,
            share=5,
            measure=Measure(name="held_out_velocity", better="lower"),
            starts_from=MOTION_FILE,
            gives=(MOTION_FILE,),
        ),
        TrainedStage(
            name="paint",
            recipe=tiny.tiny_paint,
            share=6,
            measure=PAINTED,
            starts_from=PAINT_FILE,
            gives=(PAINT_FILE,),
        ),
        TrainedStage(
            name="latent-reader",
            recipe=tiny.tiny_latent_reader,
            share=3,
            measure=Measure(name="r_mouth_open", better="higher"),
            starts_from=None,
            gives=(READER_FILE,),
            beside_clips=READER_FOLDER,
        ),
        TrainedStage(
            name="base",
            recipe=tiny.tiny_base,
            share=34,
            measure=VELOCITY,
            starts_from=BASE_FILE,
            gives=(BASE_FILE, READOUT_FILE),
        ),
        TrainedStage(
            name="base-pictures",
            recipe=tiny.tiny_base_pictures,
            share=14,
            measure=PICTURES,
            starts_from=BASE_FILE,
            gives=(BASE_FILE, READOUT_FILE),
        ),
        MadeStage(name="cuts", share=3, make=tiny_retouch.make_cuts, unit="cuts of films that the base model drew"),
        TrainedStage(
            name="retouch",
            recipe=tiny_retouch.tiny_retouch,
            share=4,
            measure=RETOUCHED,
            starts_from=RETOUCH_FILE,
            gives=(RETOUCH_FILE,),
        ),
        MadeStage(
            name="preferences", share=4, make=tiny_dpo.make_preferences, unit="scenes judged", tells=with_num_scenes
        ),
        TrainedStage(
            name="dpo",
            recipe=tiny_dpo.tiny_dpo,
            share=3,
            measure=WINS,
            starts_from=None,
            gives=(MOTION_FILE,),
        ),
        TrainedStage(
            name="causal",
            recipe=tiny_online.tiny_online_causal,
            share=22,
            measure=DISTANCE,
            starts_from=BACKBONE_FILE,
            gives=(BACKBONE_FILE, REFINER_FILE),
        ),
        MadeStage(
            name="teacher-films",
            share=1.5,
            make=tiny_online.make_teacher_films,
            unit="films of the teacher",
            tells=with_num_films,
        ),
        TrainedStage(
            name="ode",
            recipe=tiny_online.tiny_online_ode,
            share=2,
            measure=DISTANCE,
            starts_from=BACKBONE_FILE,
            gives=(BACKBONE_FILE,),
        ),
        TrainedStage(
            name="off-policy",
            recipe=tiny_online.tiny_online_off_policy,
            share=2,
            measure=DISTANCE,
            starts_from=BACKBONE_FILE,
            gives=(BACKBONE_FILE, CRITIC_FILE),
        ),
        TrainedStage(
            name="on-policy",
            recipe=tiny_online.tiny_online_on_policy,
            share=2,
            measure=DISTANCE,
            starts_from=BACKBONE_FILE,
            gives=(BACKBONE_FILE, CRITIC_FILE),
        ),
        TrainedStage(
            name="refiner",
            recipe=tiny_online.tiny_online_refiner,
            share=2,
            measure=DISTANCE,
            starts_from=REFINER_FILE,
            gives=(REFINER_FILE,),
        ),
    ),
)

# Parts of the plan alone, for a motion and a base model that are there already.
ONLINE: Final = Plan(
    name="tiny-online",
    given=(*COMPONENTS, MOTION_FILE, BASE_FILE),
    prepare=with_new_layers,
    stages=TINY.only(
        (
            "clips",
            "latent-reader",
            "causal",
            "teacher-films",
            "ode",
            "off-policy",
            "on-policy",
            "refiner",
        )
    ),
)
WITHOUT_EITHER: Final = (
    *(name for name in COMPONENTS if name not in (PAINT_FILE, RETOUCH_FILE)),
    MOTION_FILE,
    BASE_FILE,
)
PAINTING: Final = Plan(
    name="tiny-painting",
    given=WITHOUT_EITHER,
    taken_along=(RETOUCH_FILE,),
    prepare=with_new_layers,
    stages=TINY.only(("paint",)),
)
RETOUCHING: Final = Plan(
    name="tiny-retouching",
    given=WITHOUT_EITHER,
    taken_along=(PAINT_FILE,),
    prepare=with_new_layers,
    stages=TINY.only(("cuts", "retouch")),
)
PREFERENCES: Final = Plan(
    name="tiny-preferences",
    given=(*COMPONENTS, MOTION_FILE, BASE_FILE),
    prepare=with_new_layers,
    stages=TINY.only(("clips", "preferences", "dpo")),
)

FROM_NOTHING: Final = replace(
    TINY,
    given=(),
    stages=(
        TrainedStage(
            name="codec",
            recipe=tiny.tiny_vae,
            share=30,
            measure=Measure(name="held_out_psnr_db", better="higher"),
            starts_from=CODEC_FILE,
            gives=(CODEC_FILE,),
        ),
        MadeStage(name="fine-channels", share=1, make=make_fine_channels, unit="fine channels a place"),
        TrainedStage(
            name="codec-fine",
            recipe=tiny.tiny_vae_fine,
            share=20,
            measure=Measure(name="held_out_focus_psnr_db", better="higher"),
            starts_from=CODEC_FILE,
            gives=(CODEC_FILE,),
        ),
        TrainedStage(
            name="posing",
            recipe=tiny.tiny_posing,
            share=6,
            measure=Measure(name="held_out_psnr_db", better="higher"),
            starts_from=POSING_FILE,
            gives=(POSING_FILE,),
        ),
        TrainedStage(
            name="matte",
            recipe=tiny.tiny_matte,
            share=4,
            measure=Measure(name="held_out_overlap", better="higher"),
            starts_from=MATTE_FILE,
            gives=(MATTE_FILE,),
        ),
        TrainedStage(
            name="speak-encoder",
            recipe=tiny.tiny_speak_encoder,
            share=6,
            measure=Measure(name="r_mouth_open", better="higher"),
            starts_from=SPEAK_FILE,
            gives=(SPEAK_FILE,),
        ),
        TrainedStage(
            name="listen-encoder",
            recipe=tiny.tiny_listen_encoder,
            share=6,
            measure=Measure(name="r_pitch", better="higher"),
            starts_from=LISTEN_FILE,
            gives=(LISTEN_FILE,),
        ),
        TrainedStage(
            name="text-encoder",
            recipe=tiny.tiny_text_encoder,
            share=4,
            measure=Measure(name="expression_accuracy", better="higher"),
            starts_from=TEXT_FILE,
            gives=(TEXT_FILE,),
        ),
        TrainedStage(
            name="chinese-text",
            recipe=tiny.tiny_chinese_text,
            share=4,
            measure=Measure(name="held_out_rows", better="lower"),
            starts_from=CHINESE_FILE,
            gives=(CHINESE_FILE,),
        ),
        *TINY.stages,
    ),
)
