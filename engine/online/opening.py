"""Opening live sessions: a character's references and portrait, a generator for the pack, and everything around it.

Several sessions may be open on one pack: weights are shared, each session has its own histories, sound and codec state.
"""

import hashlib
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.carried_feelings import parts_for
from engine.characters import Character
from engine.devices import wait_for
from engine.directed_references import DirectedReferences
from engine.encoders.protocol import AudioRows
from engine.errors import BadInputError
from engine.loaded_pack import LoadedPack
from engine.media.pictures import square_crop
from engine.model.transformer import Transformer
from engine.model_config import AudioWindow, DitConfig
from engine.motion.planner import MotionPlanner
from engine.online.base_windows import BaseWindows
from engine.online.chunk_steps import SessionStages
from engine.online.conductor import Conductor, ConductorLayout
from engine.online.generator import ChunkGenerator
from engine.online.live import LiveConfig, checked_direction
from engine.online.live_anchors import LiveAnchors
from engine.online.live_motion import LiveMotion
from engine.online.noise import SeededNoise
from engine.online.rollout import CausalModel, CausalRollout
from engine.online.session import MOST_IN_FLIGHT, ChunkWatcher, LiveSession
from engine.online.stages import ConditionEncoder, SoundReach, StreamingDecoder
from engine.pixels import as_pixels
from engine.precision import fast_autocast, has_fast_bfloat16
from engine.references import ReferenceLatents

DETAILED_FROM_CORES: Final = 4
DETAILED_FROM_FAST_CORES: Final = 2  # where bfloat16 is fast


def open_session(
    character: Character,
    pack: LoadedPack,
    config: LiveConfig | None = None,
    on_chunk: ChunkWatcher | None = None,
    first_frame_HWC: NDArray[np.uint8] | None = None,
) -> LiveSession:
    """A session that begins to perform at once, from the character's portrait or from a first frame of one's own, uint8 RGB [H, W, 3].

    With a pack that has causal models they perform; with any other its base model does, in short windows. Errors:
    `CharacterError` without a global reference, `BadInputError` for a chunk that the pack was not made for or too long a direction.
    """
    opened_s = time.perf_counter()
    config = config or LiveConfig()
    config = replace(config, prompt=checked_direction(config.prompt), split=_possible_split(pack, config.split))
    stages, layout = session_stages(character, pack, config, first_frame_HWC)
    portrait_HWC = character.global_picture_HWC if first_frame_HWC is None else first_frame_HWC
    conductor = Conductor(config, layout, square_crop(portrait_HWC, pack.film_px))
    return LiveSession(conductor, stages, session_identity(character, pack), opened_s, on_chunk)


def performing_live(pack: LoadedPack, engine: str | None = None) -> LoadedPack:
    """The pack with what performs live on its device and no more: `engine` is `online`, `base`, or None for what suits the machine.

    The causal pair has four forwards a chunk where the base model's windows have one. A card makes them in no time; on a processor that
    draws a window beside them they are too many, and the windows perform. A processor of few cores (`DETAILED_FROM_CORES`,
    `DETAILED_FROM_FAST_CORES`) shows pictures as they are decoded: moving larger ones leaves it nothing to spare.
    `BadInputError` for `online` where the pack has no causal models.
    """
    if engine not in (None, "online", "base"):
        raise ValueError(f"what performs live is online or base, not {engine!r}")
    if engine == "online" and pack.online is None:
        raise BadInputError(f"{pack.manifest.name} has no causal models; let its base model perform live")
    is_online = engine == "online" or (engine is None and pack.device.type == "cuda")
    is_shown_whole = pack.film_px == pack.size_px or _has_time_for_details(pack.device)
    shown = pack if is_shown_whole else replace(pack, film_px=pack.size_px)
    return shown if is_online else replace(shown, online=None)


def _has_time_for_details(device: torch.device) -> bool:
    if device.type != "cpu":
        return True
    needed = DETAILED_FROM_FAST_CORES if has_fast_bfloat16(device) else DETAILED_FROM_CORES
    return (os.cpu_count() or 1) >= needed


def session_stages(
    character: Character, pack: LoadedPack, config: LiveConfig, first_frame_HWC: NDArray[np.uint8] | None = None
) -> tuple[SessionStages, ConductorLayout]:
    """All of a session that computes, as it is before the first chunk, and what the session's rules must know of it."""
    device = pack.device
    chunk_latents = _chunk_latents(pack, config)
    chunk_frames = chunk_latents * pack.codec.frames_per_latent
    most_ahead_frames = config.lookahead.most_frames + chunk_frames
    slack_latents = -(-most_ahead_frames // pack.codec.frames_per_latent) + MOST_IN_FLIGHT * chunk_latents
    parts_of = parts_for(pack)
    with torch.no_grad(), fast_autocast(device):
        most_references = pack.online.settings.max_references if pack.online else pack.base.max_references
        references = DirectedReferences(pack, character, most_references)
        portrait_HWC = character.global_picture_HWC if first_frame_HWC is None else first_frame_HWC
        portrait_BCHW = as_pixels(portrait_HWC, pack.size_px).to(device)
        first_BCHW = pack.codec.encode_still(portrait_BCHW).float()
        opening_text = parts_of(config.prompt)[0]
        generator = _generator(pack, config, references.latents(opening_text), first_BCHW, slack_latents)
        retoucher = pack.retoucher(pack.poser())
        # What is decoded once more is not retouched again, and borders are smoothed against what was shown.
        latents_a_copy = 1 if retoucher else chunk_latents
        decoder = StreamingDecoder(pack.codec, first_BCHW, portrait_BCHW, slack_latents, retoucher, latents_a_copy)
    model_config = pack.online.backbone.config if pack.online else pack.transformer.config
    history_frames = generator.history_latents * pack.codec.frames_per_latent
    reaches = _sound_reaches(pack, model_config, history_frames, chunk_latents + generator.history_latents)
    encoder = ConditionEncoder(
        text_encoder=pack.text_encoder,
        references=references,
        encoders=(pack.speak_encoder, pack.listen_encoder),
        reaches=reaches,
        config=model_config,
        history_frames=history_frames,
        history_latents=generator.history_latents,
    )
    layout = ConductorLayout(
        chunk_latents=chunk_latents,
        frames_per_latent=pack.codec.frames_per_latent,
        speak_reach=reaches[0],
        listen_reach=reaches[1],
        slack_latents=slack_latents,
        efforts=generator.efforts,
        can_be_softer=retoucher is not None and retoucher.can_be_softer,
        parts_of=parts_of,
    )
    wait_for(device)  # workers have streams of their own, which know nothing of what this thread began
    stages = SessionStages(encoder=encoder, generator=generator, decoder=decoder, device=device, retoucher=retoucher)
    return stages, layout


def restore_session(folder: Path, character: Character, pack: LoadedPack, split: str = "pipeline") -> LiveSession:
    """The session that `LiveSession.snapshot` wrote, going on to the same frames; paused if it was.

    `BadInputError` in one line for a folder that holds none, is damaged, or belongs to another character or pack.
    """
    from engine.online.snapshots import read_snapshot

    snapshot = read_snapshot(folder, session_identity(character, pack))
    session = open_session(character, pack, snapshot.config("caller"))
    return snapshot.fill(session, _possible_split(pack, split))


def _possible_split(pack: LoadedPack, split: str) -> str:
    """The split that is wanted, but where a device (mps) takes work from one thread at a time."""
    return "one worker" if split == "pipeline" and pack.device.type == "mps" else split


def session_identity(character: Character, pack: LoadedPack) -> dict[str, str]:
    """What a snapshot must be restored with: the same weights and settings, and the same pictures."""
    pictures = hashlib.sha256()
    for reference in character.references:
        pictures.update(f"{reference.kind} {reference.subtype} {reference.picture_HWC.shape}".encode())
        pictures.update(np.ascontiguousarray(reference.picture_HWC).data)
    weights = hashlib.sha256("".join(sorted(entry.sha256 for entry in pack.manifest.components)).encode())
    settings = hashlib.sha256(json.dumps(pack.manifest.settings, sort_keys=True).encode())
    return {
        "pack": f"{pack.manifest.name} {pack.manifest.version}",
        "weights": weights.hexdigest(),
        "settings": settings.hexdigest(),
        "size of films": f"{pack.film_px} px",
        "character": character.name,
        "pictures": pictures.hexdigest(),
    }


def _chunk_latents(pack: LoadedPack, config: LiveConfig) -> int:
    if pack.online is not None:
        return pack.online.settings.check_chunk(config.chunk_latents or pack.online.settings.chunk_latents)
    most = pack.base.window_latents - pack.base.history_latents
    wanted = config.chunk_latents or pack.base.new_latents
    if not 1 <= wanted <= most:
        raise BadInputError(
            f"chunks of {wanted} latents do not fit the base model's window; choose 1 to {most}, or a pack with causal models"
        )
    return wanted


def _generator(
    pack: LoadedPack, config: LiveConfig, references: ReferenceLatents, portrait_BCHW: Tensor, slack_latents: int
) -> ChunkGenerator:
    channels, rows, columns = portrait_BCHW.shape[1:]
    device = portrait_BCHW.device
    noise = SeededNoise(config.seed, (channels, rows, columns), device)
    if pack.online is None:
        no_text_BSD = pack.text_encoder.encode([""]).to(device)
        motion = _motion(pack, (pack.transformer,), config.seed, portrait_BCHW, slack_latents)
        return BaseWindows(
            pack.transformer, pack.base, references, portrait_BCHW, noise, slack_latents, no_text_BSD, motion
        )
    dtype = torch.bfloat16 if has_fast_bfloat16(device) else None
    settings = pack.online.settings
    backbone, refiner = (
        CausalModel(model, settings, references, portrait_BCHW, slack_latents, dtype)
        for model in (pack.online.backbone, pack.online.refiner)
    )
    told = (pack.online.backbone, pack.online.refiner)
    motion = _motion(pack, told, config.seed, portrait_BCHW, slack_latents)
    return CausalRollout(backbone, refiner, settings, noise, motion)


def _motion(
    pack: LoadedPack, told: tuple[Transformer, ...], seed: int, portrait_BCHW: Tensor, slack_latents: int
) -> LiveMotion | None:
    """A session's plan, made from the rows of sound that come for `told`; None where the pack has none or none of them is told."""
    if pack.motion is None or not any(model.config.motion_dim for model in told):
        return None
    windows = (told[0].config.speak_window, told[0].config.listen_window)
    noise = SeededNoise(seed, (pack.motion.row_width, 1, 1), pack.device)
    no_text_BSD = pack.text_encoder.encode([""]).to(pack.device)
    num_kept = slack_latents + pack.base.history_latents
    poser = pack.poser()
    anchors = None if poser is None else LiveAnchors(poser, portrait_BCHW, num_kept)
    planner = MotionPlanner(pack.motion, num_kept, pack.codec.frames_per_latent)
    return LiveMotion(planner, windows, noise, no_text_BSD, anchors)


def _sound_reaches(
    pack: LoadedPack, config: DitConfig, history_frames: int, num_latents: int
) -> tuple[SoundReach, SoundReach]:
    """The paper's window of sound for causal models; for the base model all that its encoders can make use of."""
    if pack.online is not None:
        settings = pack.online.settings
        reach = SoundReach(before_frames=settings.audio_history_frames, after_frames=settings.audio_future_frames)
        return reach, reach
    chunk_end = num_latents * pack.codec.frames_per_latent - history_frames
    return (
        _whole_reach(pack.speak_encoder, config.speak_window, history_frames, num_latents, chunk_end),
        _whole_reach(pack.listen_encoder, config.listen_window, history_frames, num_latents, chunk_end),
    )


def _whole_reach(
    encoder: AudioRows, window: AudioWindow, history_frames: int, num_latents: int, chunk_end: int
) -> SoundReach:
    num_rows = window.rows_before + num_latents * window.rows_per_latent + window.rows_after
    start_frame = -history_frames - window.rows_before * encoder.frames_per_row
    first, end = encoder.frames_heard(start_frame, num_rows)
    return SoundReach(before_frames=-first, after_frames=max(end - chunk_end, 0))
