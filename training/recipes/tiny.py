"""The recipes of the pack that ships, in the order they are run: codec, encoders, base model."""

import dataclasses

from engine.codec.folded_vae import FoldedVae
from engine.encoders.audio import AudioEncoder
from engine.encoders.text import TextEncoder
from engine.flow.preconditioning import preconditioning_named
from engine.model.transformer import Transformer
from engine.posing.matte import Matte
from engine.posing.paint import Paint
from engine.posing.pose_flow import PoseFlow
from training.actor.state import MOUTH_CHANNELS
from training.actor.visemes import VISEMES
from training.data.bilingual_samples import BilingualSamples
from training.data.caption_samples import CaptionSamples
from training.data.encoded import ClipEncoders, encoded_clips
from training.data.mattes import MatteSamples
from training.data.painted_faces import PaintedFaceSamples
from training.data.performances import SoundSamples
from training.data.portraits import PortraitSamples
from training.data.posed_clips import ClipPosing, posed_clips
from training.data.posed_pairs import PosedPairSamples
from training.data.shards import load_shards
from training.data.windows import ClipFeatures, WindowConfig
from training.objectives.codec import CodecLossConfig
from training.objectives.flow_matching import FlowMatchingConfig, StateReadout
from training.objectives.perceived_state import LatentReader
from training.optimizers import OptimizerConfig
from training.recipes import parts
from training.recipes.fine_codec import fine_codec
from training.recipes.places import Places
from training.recipes.run import Run
from training.tasks.audio_encoder import AudioEncoderTask, AudioReadout
from training.tasks.base_model import BaseModel, BaseModelTask
from training.tasks.base_pictures import PicturedBaseTask
from training.tasks.chinese_text import ChineseTextTask
from training.tasks.codec import CodecTask
from training.tasks.film_decoder import FilmDecoderTask
from training.tasks.latent_reader import LatentReaderTask
from training.tasks.matte import MatteTask
from training.tasks.paint import PaintTask
from training.tasks.pose_flow import PoseFlowTask
from training.tasks.text_encoder import DirectionReadout, TextEncoderTask
from training.trainer import TrainerConfig

ARTICULATION_CHANNELS = tuple(name for name in MOUTH_CHANNELS if name != "smile")  # a smile is no sound
# What a partner's sound makes a listener do, and how far it goes.
REACTION_SCALES = {"pitch": 0.04, "brow_left": 0.15, "smile": 0.3, "lean": 0.3, "squint": 0.15}
NUM_HELD_OUT_CLIPS = 24
CUT_PX = 120  # of faces: what fine channels are for
STRANGER_SHARE = (
    0.5  # of the portraits that are moved and painted: creators bring portraits by other hands than the actor
)


def tiny_vae(places: Places) -> Run:
    """The folded VAE at 192 px, 24x spatial, four frames a latent: about half an hour on two cores with bf16."""
    del places
    return Run(task=_codec_task(FoldedVae(parts.COARSE_CODEC)), config=_codec_config())


def tiny_vae_decoder(places: Places) -> Run:
    """The decoder alone, further: latents stay what they are, so a base model in training is not disturbed."""
    del places
    return Run(task=_codec_task(FoldedVae(parts.CODEC), frozen=("encoder",)), config=_codec_config())


def tiny_vae_fine(places: Places) -> Run:
    """Fine channels beside those that a codec has, which stay what they are: its decoder learns to use them, on cuts of faces."""
    task = _codec_task(fine_codec(places.parts), frozen=("encoder",), cut_px=CUT_PX)
    gently = OptimizerConfig(muon_learning_rate=0.005, adamw_learning_rate=5e-4, clip_norm=1.0)
    return Run(
        task=task, config=dataclasses.replace(_codec_config(), num_steps=2400, decay_steps=1400, optimizer=gently)
    )


def tiny_speak_encoder(places: Places) -> Run:
    """The encoder of the speaking track: visemes and mouth channels, two frames of look-ahead."""
    del places
    task = AudioEncoderTask(
        readout=AudioReadout(AudioEncoder(parts.SPEAK_ENCODER), len(ARTICULATION_CHANNELS), len(VISEMES)),
        samples=SoundSamples(stream="speak", num_frames=72),
        channel_names=ARTICULATION_CHANNELS,
        channel_scales=(0.25,) * len(ARTICULATION_CHANNELS),
        weights_file=parts.SPEAK_FILE,
        settle_frames=2,
        viseme_weight=0.3,
    )
    return Run(task=task, config=_encoder_config(num_steps=900, batch_samples=24))


def tiny_listen_encoder(places: Places) -> Run:
    """The encoder of the listening track: reactions to the last five seconds, no look-ahead."""
    del places
    task = AudioEncoderTask(
        readout=AudioReadout(AudioEncoder(parts.LISTEN_ENCODER), len(REACTION_SCALES), len(VISEMES)),
        samples=SoundSamples(stream="listen", num_frames=240),
        channel_names=tuple(REACTION_SCALES),
        channel_scales=tuple(REACTION_SCALES.values()),
        weights_file=parts.LISTEN_FILE,
        settle_frames=24,
    )
    return Run(task=task, config=_encoder_config(num_steps=900, batch_samples=12))


def tiny_text_encoder(places: Places) -> Run:
    """The reader of captions."""
    del places
    task = TextEncoderTask(
        readout=DirectionReadout(TextEncoder(parts.TEXT_ENCODER)),
        samples=CaptionSamples(max_bytes=parts.TEXT_ENCODER.max_bytes),
        weights_file=parts.TEXT_FILE,
    )
    return Run(task=task, config=_encoder_config(num_steps=1500, batch_samples=64))


def tiny_chinese_text(places: Places) -> Run:
    """The reader of Chinese captions, behind the English one of the parts; some minutes of one core."""
    task = ChineseTextTask(
        english=parts.trained(places.parts, parts.TEXT_FILE, TextEncoder(parts.TEXT_ENCODER)),
        samples=BilingualSamples(max_bytes=parts.TEXT_ENCODER.max_bytes),
        weights_file=parts.CHINESE_FILE,
    )
    return Run(task=task, config=_encoder_config(num_steps=4000, batch_samples=64))


def tiny_latent_reader(places: Places) -> Run:
    """The reader of latents, trained on the clips' own; the online stages look for it in `reader` beside them (`-o CLIPS/reader`)."""
    clips = load_shards(places.clips, names=("latents_FCHW", "state_TK", "references_RCHW"))
    task = LatentReaderTask(
        reader=latent_reader(),
        latents_NFCHW=clips["latents_FCHW"],
        states_NTK=clips["state_TK"],
        reference_NCHW=clips["references_RCHW"][:, 0],
    )
    config = TrainerConfig(
        num_steps=1500,
        batch_samples=256,
        optimizer=OptimizerConfig(muon_learning_rate=0.01, adamw_learning_rate=2e-3, weight_decay=0.02),
        warmup_steps=50,
        decay_steps=600,
        ema_decay=0.98,
        save_each_steps=500,
        sample_each_steps=500,
        report_each_steps=50,
    )
    return Run(task=task, config=config)


def latent_reader() -> LatentReader:
    """The reader at the size of the small pack's latents."""
    return LatentReader(
        parts.CODEC.latent_channels,
        grid=parts.SIZE_PX // parts.CODEC.spatial_stride,
        frames_per_latent=parts.CODEC.frames_per_latent,
    )


def tiny_posing(places: Places) -> Run:
    """The pose flow on pairs of drawings, at rest and in a pose; half an hour of one core."""
    del places
    task = PoseFlowTask(
        flow=PoseFlow(parts.POSING),
        samples=PosedPairSamples(size_px=parts.SIZE_PX, stranger_share=STRANGER_SHARE),
        weights_file=parts.POSING_FILE,
    )
    config = TrainerConfig(
        num_steps=2500,
        batch_samples=16,
        optimizer=OptimizerConfig(muon_learning_rate=0.01, adamw_learning_rate=2e-3, clip_norm=1.0),
        warmup_steps=50,
        decay_steps=1200,
        ema_decay=0.99,
        save_each_steps=100,
        sample_each_steps=200,
    )
    return Run(task=task, config=config)


def tiny_matte(places: Places) -> Run:
    """What takes portraits apart, on characters before random backdrops; a quarter of an hour of one core."""
    del places
    task = MatteTask(
        matte=Matte(parts.MATTE), samples=MatteSamples(size_px=parts.MATTE.look_px), weights_file=parts.MATTE_FILE
    )
    config = TrainerConfig(
        num_steps=2600,
        batch_samples=8,
        optimizer=OptimizerConfig(muon_learning_rate=0.02, adamw_learning_rate=2e-3, clip_norm=1.0),
        warmup_steps=30,
        decay_steps=1300,
        ema_decay=0.98,
        save_each_steps=100,
        sample_each_steps=200,
        report_each_steps=20,
    )
    return Run(task=task, config=config)


def tiny_paint(places: Places) -> Run:
    """What paints, over the pose flow of the parts, on portraits with their faces in several states; an hour of one core."""
    task = PaintTask(
        paint=Paint(parts.PAINT),
        flow=parts.trained(places.parts, parts.POSING_FILE, PoseFlow(parts.POSING)),
        samples=PaintedFaceSamples(
            size_px=parts.FILM_PX,
            spacing_px=parts.FINER,
            shift_px=12.0 * parts.FINER,
            stranger_share=STRANGER_SHARE,
        ),
        weights_file=parts.PAINT_FILE,
    )
    config = TrainerConfig(
        num_steps=3000,
        batch_samples=8,
        optimizer=OptimizerConfig(muon_learning_rate=0.02, adamw_learning_rate=4e-3, clip_norm=1.0),
        warmup_steps=30,
        decay_steps=1500,
        ema_decay=0.98,
        save_each_steps=100,
        sample_each_steps=100,
        report_each_steps=20,
    )
    return Run(task=task, config=config)


def tiny_base(places: Places) -> Run:
    """Base LPM at the `tiny` preset, on clips built beforehand, behind the frozen codec and encoders of `places.parts`."""
    config = TrainerConfig(
        num_steps=6000,
        batch_samples=16,
        optimizer=OptimizerConfig(muon_learning_rate=6e-3, adamw_learning_rate=1.5e-3, weight_decay=0.02),
        warmup_steps=60,
        decay_steps=1000,
        ema_decay=0.997,
        save_each_steps=100,
        sample_each_steps=200,
    )
    return Run(task=_base_task(places, WindowConfig(motion_drop_share=0.05)), config=config)


def tiny_base_pictures(places: Places) -> Run:
    """The base further, held to what its answers look like once they are decoded."""
    task = PicturedBaseTask(
        base_task=_base_task(
            places,
            WindowConfig(
                rollout_windows=7,
                own_history_share=0.8,
                portrait_share=0.15,
                altered_share=0.2,
                extra_references_share=0.7,
                text_drop_share=0.25,
                speak_drop_share=0.25,
                listen_drop_share=0.25,
                motion_drop_share=0.0,
            ),
        ),
        codec=parts.trained_codec(places.parts),
    )
    config = TrainerConfig(
        num_steps=1500,
        batch_samples=16,
        optimizer=OptimizerConfig(muon_learning_rate=5e-3, adamw_learning_rate=1e-3, weight_decay=0.02),
        warmup_steps=30,
        decay_steps=500,
        ema_decay=0.99,
        save_each_steps=100,
        sample_each_steps=100,
    )
    return Run(task=task, config=config)


def tiny_film_decoder(places: Places) -> Run:
    """The decoder further, half of the time on what the base of `places.parts` makes: it learns to draw what was meant."""
    base_task = _base_task(places, WindowConfig(rollout_windows=2, own_history_share=0.75, motion_drop_share=0.0))
    base_task.start_from(places.parts)
    base_task.flow = dataclasses.replace(base_task.flow, full_noise_share=1.0, history_noise=0.0)
    task = FilmDecoderTask(
        base_task=base_task, codec_task=_codec_task(FoldedVae(parts.CODEC), frozen=("encoder",)), size_px=parts.SIZE_PX
    )
    config = dataclasses.replace(
        _codec_config(),
        batch_samples=8,
        warmup_steps=20,
        optimizer=OptimizerConfig(muon_learning_rate=4e-3, adamw_learning_rate=5e-4),
    )
    return Run(task=task, config=config)


def _base_task(places: Places, window: WindowConfig) -> BaseModelTask:
    features = posed_features(places)
    readout = StateReadout(parts.BASE.dim, tokens_per_latent=64, frames_per_latent=parts.CODEC.frames_per_latent)
    return BaseModelTask(
        base=BaseModel(Transformer(parts.BASE), readout),
        precondition=preconditioning_named("around_reference", parts.RESIDUAL_STD, parts.HISTORY_SHARE),
        flow=FlowMatchingConfig(history_error=parts.HISTORY_ERROR),
        window=window,
        features=features_slice(features, slice(NUM_HELD_OUT_CLIPS, None)),
        held_out=features_slice(features, slice(0, NUM_HELD_OUT_CLIPS)),
        codec=parts.trained_codec(places.parts),
        weights_file=parts.BASE_FILE,
    )


def clip_encoders(places: Places) -> ClipEncoders:
    """The frozen encoders of the parts."""
    return ClipEncoders.of(
        speak=parts.trained(places.parts, parts.SPEAK_FILE, AudioEncoder(parts.SPEAK_ENCODER)),
        listen=parts.trained(places.parts, parts.LISTEN_FILE, AudioEncoder(parts.LISTEN_ENCODER)),
        text=parts.trained(places.parts, parts.TEXT_FILE, TextEncoder(parts.TEXT_ENCODER)),
    )


def clip_features(places: Places) -> ClipFeatures:
    """All clips behind the frozen encoders of the parts."""
    return encoded_clips(places.clips, clip_encoders(places))


def posed_features(places: Places) -> ClipFeatures:
    """The same with the clips' anchors in the poses of their performances."""
    flow = parts.trained(places.parts, parts.POSING_FILE, PoseFlow(parts.POSING))
    paint = parts.trained(places.parts, parts.PAINT_FILE, Paint(parts.PAINT))
    matte = parts.trained(places.parts, parts.MATTE_FILE, Matte(parts.MATTE))
    posing = ClipPosing.of(flow, parts.trained_codec(places.parts), parts.SIZE_PX, paint, matte)
    return dataclasses.replace(clip_features(places), posed_NAFCHW=posed_clips(places.clips, posing))


def features_slice(features: ClipFeatures, part: slice) -> ClipFeatures:
    """Some of the clips."""
    return ClipFeatures(
        clips={name: tensor[part] for name, tensor in features.clips.items()},
        speak_NAD=features.speak_NAD[part],
        listen_NAD=features.listen_NAD[part],
        text_NCLD=features.text_NCLD[part],
        posed_NAFCHW=None if features.posed_NAFCHW is None else features.posed_NAFCHW[part],
    )


def _encoder_config(*, num_steps: int, batch_samples: int) -> TrainerConfig:
    return TrainerConfig(
        num_steps=num_steps,
        batch_samples=batch_samples,
        optimizer=OptimizerConfig(muon_learning_rate=5e-3, adamw_learning_rate=2e-3),
        warmup_steps=30,
        decay_steps=num_steps // 3,
        ema_decay=0.98,
        save_each_steps=100,
        sample_each_steps=300,
    )


def _codec_task(codec: FoldedVae, frozen: tuple[str, ...] = (), cut_px: int | None = None) -> CodecTask:
    return CodecTask(
        codec=codec,
        loss_config=CodecLossConfig(),
        samples=PortraitSamples(size_px=parts.SIZE_PX, num_frames=8, cut_px=cut_px),
        frozen=frozen,
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
