"""Model packs of the smallest sizes with random weights, without and with a plan of motion, a posed anchor and retouching, for tests."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from engine.base.settings import BaseSettings
from engine.characters import EXPRESSIONS, Character, Reference, ReferenceKind
from engine.codec.folded_vae import FoldedVae, FoldedVaeConfig
from engine.encoders.audio import AudioEncoder, AudioEncoderConfig
from engine.encoders.text import TextEncoder, TextEncoderConfig
from engine.flow.guidance import GuidanceScales
from engine.loaded_pack import LoadedPack
from engine.model.transformer import Transformer
from engine.model_config import AudioWindow, DitConfig
from engine.motion.settings import MotionSettings
from engine.packs import ComponentEntry, Manifest, file_sha256, read_manifest, save_weights, write_pack
from engine.pixels import as_pixels
from engine.posing.anchor_picture import AnchorPicture
from engine.posing.matte import Matte, MatteConfig
from engine.posing.paint import Paint, PaintConfig
from engine.posing.pose_flow import PoseFlow, PoseFlowConfig
from engine.posing.retouch import Retouch, RetouchConfig

Module = TypeVar("Module", bound=nn.Module)

CODEC = FoldedVaeConfig(
    latent_channels=4,
    strides=(4, 3),
    encoder_widths=(8, 12),
    encoder_blocks=(1, 1),
    decoder_widths=(8, 12),
    decoder_blocks=(1, 1),
)
SPEAK = AudioEncoderConfig(width=8, dilations=(1,), lookahead_frames=(1,), row_margin_frames=1)
LISTEN = AudioEncoderConfig(width=8, dilations=(1, 2), lookahead_frames=(0, 0), frames_per_row=2)
TEXT = TextEncoderConfig(max_bytes=16, width=8, num_layers=1, num_heads=2)
BASE = DitConfig(
    dim=24,
    ffn_dim=32,
    num_layers=2,
    num_heads=2,
    patch_size=(1, 1, 1),
    in_channels=4,
    out_channels=4,
    text_dim=8,
    speak_dim=SPEAK.row_width,
    listen_dim=LISTEN.row_width,
    speak_window=AudioWindow(rows_per_latent=4, rows_before=2, rows_after=2),
    listen_window=AudioWindow(rows_per_latent=2, rows_before=6, rows_after=0),
)
SETTINGS = BaseSettings(
    preconditioning="around_reference",
    residual_std=(0.5, 1.0, 1.0, 0.5),
    num_steps=2,
    window_latents=6,
    history_latents=2,
    overlap_latents=1,
)
SIZE_PX = 48
ROW_WIDTH = 5
MOVED_BASE = replace(BASE, motion_dim=ROW_WIDTH)
MOTION = replace(  # hears less of either sound than the base model is told of
    BASE,
    in_channels=ROW_WIDTH,
    out_channels=ROW_WIDTH,
    speak_window=AudioWindow(rows_per_latent=4, rows_before=1, rows_after=2),
    listen_window=AudioWindow(rows_per_latent=2, rows_before=4, rows_after=0),
)
MOTION_SETTINGS = MotionSettings(
    rest=(-0.5, 0.0, 0.5, 1.0, -1.0),
    history_rows=4,
    num_steps=2,
    drawn_share=(1.0, 0.5, 0.9, 0.0, 0.7),
    guidance=GuidanceScales(speak=1.5, listen=2.0),
)
POSING = PoseFlowConfig(frame_width=3, body_columns=(2, 0), face_columns=(1,), num_crossed=1, look_px=16, widths=(6, 8))
POSED_ROW_WIDTH = POSING.frame_width * CODEC.frames_per_latent
POSED_BASE = replace(BASE, motion_dim=POSED_ROW_WIDTH, is_shown_posed_anchor=True)
POSED_MOTION = replace(MOTION, in_channels=POSED_ROW_WIDTH, out_channels=POSED_ROW_WIDTH)
POSED_MOTION_SETTINGS = replace(
    MOTION_SETTINGS, rest=(-0.5, 0.2, 0.5) * CODEC.frames_per_latent, drawn_share=(1.0, 0.5, 0.9) * 4
)
MATTE = MatteConfig(look_px=16, widths=(6, 8))
PAINT = PaintConfig(
    frame_width=POSING.frame_width,
    face_columns=(0, 1),
    face_least=(-3.0, 0.0),
    face_most=(3.0, 5.0),
    hidden_columns=(1,),
    look_px=16,
    look_widths=(4, 6),
    width=5,
    mixed_width=4,
    told_width=6,
)
RETOUCH = RetouchConfig(
    frame_width=POSING.frame_width,
    frames_per_latent=CODEC.frames_per_latent,
    cell_px=4,
    width=8,
    num_blocks=1,
    told_width=6,
)
FELT_WIDTH = POSING.frame_width + len(EXPRESSIONS)  # the same numbers of a frame, and behind them all expressions
FELT_ROW_WIDTH = FELT_WIDTH * CODEC.frames_per_latent
FELT_MOTION_SETTINGS = MotionSettings(
    rest=(-0.5, 0.2, 0.5, 1.0, *(0.0,) * (len(EXPRESSIONS) - 1)) * CODEC.frames_per_latent,
    least=(-8.0, -8.0, -8.0, *(0.0,) * len(EXPRESSIONS)) * CODEC.frames_per_latent,
    most=(8.0, 8.0, 8.0, *(1.0,) * len(EXPRESSIONS)) * CODEC.frames_per_latent,
    history_rows=4,
    num_steps=2,
    stiffness=(0.0, 0.0, 0.0, *(2.0,) * len(EXPRESSIONS)),
    feelings=tuple(range(POSING.frame_width, FELT_WIDTH)),
)
FELT_COLUMNS = FELT_MOTION_SETTINGS.feelings[1:]  # all but the neutral one
FELT_PAINT = replace(
    PAINT,
    frame_width=FELT_WIDTH,
    face_columns=(*PAINT.face_columns, *FELT_COLUMNS),
    face_least=(*PAINT.face_least, *(-1.0,) * len(FELT_COLUMNS)),
    face_most=(*PAINT.face_most, *(1.0,) * len(FELT_COLUMNS)),
    felt_columns=FELT_COLUMNS,
)


def write_small_pack(folder: Path) -> Path:
    """Writes the pack without a plan of motion; the weights are random but the same each time."""
    return _write(folder, BASE, motion=None)


def write_small_motion_pack(folder: Path) -> Path:
    """The same, but for a model of motion and a base model that is told its plan."""
    return _write(folder, MOVED_BASE, motion=MOTION)


def write_small_posing_pack(folder: Path) -> Path:
    """The same, but for a pose flow and a base model that is shown its anchor in pose."""
    return _write(folder, POSED_BASE, POSED_MOTION, POSED_MOTION_SETTINGS, POSING)


def write_small_retouch_pack(folder: Path) -> Path:
    """The very same, but for a network that retouches what is decoded."""
    write_small_posing_pack(folder)
    torch.manual_seed(1)
    return _with(folder, "retouch", _goes(_perturbed(Retouch(RETOUCH)), 0.0), RETOUCH)  # half of the way


def write_small_painted_pack(folder: Path) -> Path:
    """The one that retouches, and paints lids and mouths over what it moves."""
    return _with_paint(write_small_retouch_pack(folder), PAINT)


def write_small_matted_pack(folder: Path) -> Path:
    """The one that retouches and paints, and moves the character alone."""
    write_small_painted_pack(folder)
    torch.manual_seed(3)
    matte = Matte(MATTE)
    for parameter in matte.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    matte.head.bias.data.sub_(2.0)  # or all would be the character
    return _with(folder, "matte", matte, MATTE)


def write_small_feeling_pack(folder: Path) -> Path:
    """One that plans feelings too, paints them, and retouches all the way to the anchor."""
    base = replace(POSED_BASE, motion_dim=FELT_ROW_WIDTH)
    motion = replace(MOTION, in_channels=FELT_ROW_WIDTH, out_channels=FELT_ROW_WIDTH)
    _write(folder, base, motion, FELT_MOTION_SETTINGS, replace(POSING, frame_width=FELT_WIDTH))
    retouch = replace(RETOUCH, frame_width=FELT_WIDTH)
    return _with_paint(_with(folder, "retouch", all_the_way(retouch), retouch), FELT_PAINT)


def _with_paint(folder: Path, config: PaintConfig) -> Path:
    torch.manual_seed(2)
    paint = Paint(config)
    for parameter in paint.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    return _with(folder, "paint", paint, config)


def _with(folder: Path, role: str, module: nn.Module, config: object) -> Path:
    """The pack in a folder with a component more."""
    manifest, entry = read_manifest(folder), stored(folder, role, role, module, config)
    write_pack(folder, replace(manifest, components=(*manifest.components, entry)))
    return folder


def stored(folder: Path, role: str, kind: str, module: nn.Module, config: object) -> ComponentEntry:
    """Writes a network's weights into the folder; what a manifest says of them."""
    path = folder / f"{role}.safetensors"
    save_weights(path, module)
    return ComponentEntry(
        role=role,
        kind=kind,
        file=path.name,
        dtype="float32",
        sha256=file_sha256(path),
        config=asdict(config),  # type: ignore[call-overload]
    )


def _write(
    folder: Path,
    base: DitConfig,
    motion: DitConfig | None,
    motion_settings: MotionSettings = MOTION_SETTINGS,
    posing: PoseFlowConfig | None = None,
) -> Path:
    torch.manual_seed(0)
    modules: dict[str, tuple[str, nn.Module, object]] = {
        "codec": ("folded_vae", FoldedVae(CODEC), CODEC),
        "base": ("transformer", Transformer(base), base),
        "speak_encoder": ("audio_encoder", AudioEncoder(SPEAK), SPEAK),
        "listen_encoder": ("audio_encoder", AudioEncoder(LISTEN), LISTEN),
        "text_encoder": ("text_encoder", TextEncoder(TEXT), TEXT),
    }
    settings = {"picture": {"size_px": SIZE_PX, "frames_per_second": 24}, "base": asdict(SETTINGS)}
    if motion is not None:
        modules["motion"] = ("transformer", Transformer(motion), motion)
        settings["motion"] = asdict(motion_settings)
    if posing is not None:
        modules["posing"] = ("pose_flow", PoseFlow(posing), posing)
    entries = []
    for role, (kind, module, config) in modules.items():
        entries.append(stored(folder, role, kind, _perturbed(module), config))
    manifest = Manifest(
        name="small",
        version="1",
        description="random weights",
        licence="Apache-2.0",
        actor_level=1,
        components=tuple(entries),
        settings=settings,
    )
    write_pack(folder, manifest)
    return folder


def with_film_px(folder: Path, film_px: object) -> Path:
    """The pack in a folder with films of another size."""
    manifest = read_manifest(folder)
    picture = {**manifest.settings["picture"], "film_px": film_px}
    write_pack(folder, replace(manifest, settings={**manifest.settings, "picture": picture}))
    return folder


def picture_of(pack: LoadedPack, reference: Reference) -> AnchorPicture:
    """A reference as a poser takes it: at rest where plans know no feelings."""
    assert pack.motion is not None
    row_BM = pack.motion.rest().clone()
    if pack.motion.settings.feelings and reference.subtype:
        row_BM.view(-1, FELT_WIDTH)[:, FELT_MOTION_SETTINGS.feelings] = torch.tensor(
            [float(name == reference.subtype) for name in EXPRESSIONS]
        )
    return AnchorPicture(pixels_BCHW=as_pixels(reference.picture_HWC, pack.film_px), row_BM=row_BM)


def all_the_way(config: RetouchConfig = RETOUCH) -> Retouch:
    """A network that gives the moved anchor itself."""
    return _goes(Retouch(config).eval().requires_grad_(False), 100.0)


def _perturbed(module: Module) -> Module:
    """The module, so that branches that start at zero take part."""
    for parameter in module.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return module


def _goes(retouch: Retouch, share_logit: float) -> Retouch:
    assert retouch.share.bias is not None
    nn.init.constant_(retouch.share.bias, share_logit)
    return retouch


def small_character() -> Character:
    """A character of one grey picture."""
    return _character("Grey", np.full((SIZE_PX, SIZE_PX, 3), 128, dtype=np.uint8))


def striking_character() -> Character:
    """A character of one picture of coloured squares: whoever moves it changes it."""
    squares = np.random.default_rng(8).integers(0, 255, (SIZE_PX // 6, SIZE_PX // 6, 3), dtype=np.uint8)
    return _character("Squares", squares.repeat(6, axis=0).repeat(6, axis=1))


def large_character() -> Character:
    """The one of coloured squares, twice as large: shrunk it is the very same."""
    picture_HWC = striking_character().global_picture_HWC
    return _character("Large", picture_HWC.repeat(2, axis=0).repeat(2, axis=1))


def _character(name: str, picture: NDArray[np.uint8]) -> Character:
    reference = Reference(kind=ReferenceKind.GLOBAL, subtype="", picture_HWC=picture, path=Path("global.png"))
    return Character(name=name, description="", references=(reference,))
