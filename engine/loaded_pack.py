"""A model pack in memory: every component built, filled and ready to compute. Made by `load_pack`, shared by all performers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from engine.base.settings import BaseSettings
from engine.codec.protocol import VideoCodec
from engine.devices import chosen_device
from engine.encoders.languages import TextRowsByLanguage
from engine.encoders.protocol import AudioRows, TextRows
from engine.encoders.umt5_tokenizer import TOKENIZER_NAME
from engine.errors import BadPackError
from engine.filled_components import filled_component
from engine.flow.guidance import GuidanceScales
from engine.flow.preconditioning import preconditioning_named
from engine.locations import pack_dirs
from engine.model.transformer import Transformer
from engine.model_config import AudioWindow
from engine.motion.loading import load_motion
from engine.motion.plan import MotionModel
from engine.online.models import OnlineModels, load_online_models
from engine.packs import MANIFEST_NAME, Manifest, build_config, read_manifest
from engine.picture_settings import PictureSettings
from engine.posing.loading import load_matte, load_paint, load_posing, load_retouch
from engine.posing.matte import Matte
from engine.posing.paint import Paint
from engine.posing.pose_flow import PoseFlow
from engine.posing.poser import Poser
from engine.posing.retouch import Retouch
from engine.posing.retoucher import Retoucher
from engine.ready_components import audio_rows_of, codec_of, text_rows_of

CHINESE_ROLE = "chinese_text_encoder"
ROLES = ("codec", "base", "speak_encoder", "listen_encoder", "text_encoder")


@dataclass(frozen=True, kw_only=True)
class LoadedPack:
    """The components of a pack, on one device. They are shared: nobody changes them, and state travels as arguments.

    Only a text encoder that would fill a graphics card may be elsewhere; whoever asks it moves its rows to `device`.
    """

    manifest: Manifest
    folder: Path
    size_px: int  # of the pictures that the codec takes
    film_px: int  # of films as they are shown
    codec: VideoCodec
    transformer: Transformer
    speak_encoder: AudioRows
    listen_encoder: AudioRows
    text_encoder: TextRows  # of directions in whatever languages the pack knows
    base: BaseSettings
    motion: MotionModel | None = None  # None where the pack draws without a plan
    posing: PoseFlow | None = None  # None where what is drawn starts from an anchor at rest
    matte: Matte | None = None  # None where what stands behind a character moves with it
    paint: Paint | None = None  # None where lids and mouths are only moved
    retouch: Retouch | None = None  # None where pictures stay as they are decoded
    online: OnlineModels | None = None  # None where the pack has no causal models

    @property
    def device(self) -> torch.device:
        """Where the pack computes: latents, rows and noise belong there."""
        return next(self.transformer.parameters()).device

    @property
    def guidance(self) -> GuidanceScales:
        """How strongly a film follows what it is told, unless a job says otherwise: in its plan of motion where there is one."""
        return self.motion.settings.guidance if self.motion else self.base.guidance

    def poser(self) -> Poser | None:
        """A poser for one film or session; None where the pack poses nothing."""
        if self.posing is None or self.motion is None:
            return None
        finer = self.film_px // self.size_px
        return Poser(self.posing, self.codec, self.motion.rest()[0], self.paint, finer, self.matte)

    def retoucher(self, poser: Poser | None) -> Retoucher | None:
        """A retoucher beside a film's or session's poser; None where the pack retouches nothing."""
        return None if self.retouch is None or poser is None else Retoucher(self.retouch, poser)


def find_pack(name_or_folder: str | Path) -> Path:
    """The folder of a pack given by name or by path; `BadPackError` names the packs that are there."""
    folder = Path(name_or_folder)
    if folder.is_dir():
        return folder
    for place in pack_dirs():
        if (place / str(name_or_folder)).is_dir():
            return place / str(name_or_folder)
    known = sorted(path.name for place in pack_dirs() if place.is_dir() for path in place.iterdir() if path.is_dir())
    raise BadPackError(f"there is no model pack {str(name_or_folder)!r}; known packs: {', '.join(known) or 'none'}")


def pack_files(name_or_folder: str | Path) -> Iterator[Path]:
    """The files of a pack, so that nobody writes over them; `BadPackError` as `find_pack` raises it."""
    folder = find_pack(name_or_folder)
    yield folder / MANIFEST_NAME
    yield folder / TOKENIZER_NAME
    yield from folder.glob("*.safetensors")


def load_pack(name_or_folder: str | Path, device: str | None = None) -> LoadedPack:
    """Reads, checks and builds a pack; `BadPackError` in one line for whatever is wrong with it.

    `device` is auto, cpu, cuda, cuda:1 or mps; None is what LPM_DEVICE says, else auto (`engine.devices`). `BadInputError` where
    that device is not here.
    """
    place = chosen_device(device)
    folder = find_pack(name_or_folder)
    manifest = read_manifest(folder)
    where = str(folder)
    settings = dict(manifest.settings.get("base", {}))
    base = build_config(BaseSettings, settings, f"{where}: settings.base")
    try:
        preconditioning_named(base.preconditioning, base.residual_std, base.history_share)
    except ValueError as error:
        raise BadPackError(f"{where}: {error}") from error
    networks = {role: filled_component(folder, manifest.component(role), device=place) for role in ROLES}
    transformer = networks["base"]
    if not isinstance(transformer, Transformer):
        raise BadPackError(f"{where}: base is no transformer; fetch the pack again")
    codec = codec_of(networks["codec"], where)
    speak_encoder, listen_encoder = (
        audio_rows_of(networks[f"{track}_encoder"], where) for track in ("speak", "listen")
    )
    _check_rows(codec, speak_encoder, transformer.config.speak_window, f"{where}: speak_encoder")
    _check_rows(codec, listen_encoder, transformer.config.listen_window, f"{where}: listen_encoder")
    motion = load_motion(folder, manifest, transformer.config, place)
    posing = load_posing(folder, manifest, motion, transformer.config, codec.frames_per_latent, place)
    picture = PictureSettings.of(manifest, where)
    retouch = load_retouch(folder, manifest, posing, codec.frames_per_latent, picture.size_px, place)
    if picture.shown_px != picture.size_px and retouch is None:
        raise BadPackError(
            f"{where} shows films larger than it decodes them, and has no retouching network; fetch the pack again"
        )
    return LoadedPack(
        manifest=manifest,
        folder=folder,
        size_px=picture.size_px,
        film_px=picture.shown_px,
        codec=codec,
        transformer=transformer,
        speak_encoder=speak_encoder,
        listen_encoder=listen_encoder,
        text_encoder=_text_rows(folder, manifest, networks["text_encoder"], place),
        base=base,
        motion=motion,
        posing=posing,
        matte=load_matte(folder, manifest, posing, place),
        paint=load_paint(folder, manifest, posing, place),
        retouch=retouch,
        online=load_online_models(folder, manifest, place),
    )


def _text_rows(folder: Path, manifest: Manifest, english: nn.Module, device: torch.device) -> TextRows:
    """What reads directions: one encoder for all of them, or one beside it for Chinese where the pack has one."""
    rows = text_rows_of(english, folder)
    if not any(entry.role == CHINESE_ROLE for entry in manifest.components):
        return rows
    chinese = filled_component(folder, manifest.component(CHINESE_ROLE), device=device)
    try:
        return TextRowsByLanguage(rows, text_rows_of(chinese, folder))
    except ValueError as error:
        raise BadPackError(f"{folder}: {error}; fetch the pack again") from error


def _check_rows(codec: VideoCodec, encoder: AudioRows, window: AudioWindow, where: str) -> None:
    """`BadPackError` where an encoder's rows would run ahead of the picture or behind it."""
    if window.rows_per_latent * encoder.frames_per_row != codec.frames_per_latent:
        raise BadPackError(
            f"{where} gives a row for {encoder.frames_per_row} frames, but the base model takes {window.rows_per_latent} rows "
            f"for a latent of {codec.frames_per_latent}; set frames_per_row in its config"
        )
