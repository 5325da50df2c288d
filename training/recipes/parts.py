"""The components of the small pack: their configs, and the trained ones read from a folder of parts."""

import dataclasses
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from engine.characters import EXPRESSIONS
from engine.codec.folded_vae import FoldedVae, FoldedVaeConfig
from engine.encoders.audio import AudioEncoderConfig
from engine.encoders.noise_floor import NoiseFloorConfig
from engine.encoders.periodicity import PeriodicityConfig
from engine.encoders.presence import PresenceConfig
from engine.encoders.text import TextEncoderConfig
from engine.flow.guidance import GuidanceScales
from engine.model_config import AudioWindow, DitConfig
from engine.motion.settings import MotionSettings
from engine.packs import fill_from_file
from engine.posing.matte import MatteConfig
from engine.posing.paint import PaintConfig
from engine.posing.pose_flow import PoseFlowConfig
from engine.posing.retouch import RetouchConfig
from training.actor.speaking import MOUTH
from training.actor.state import EXPRESSION_CHANNELS, STATE_CHANNELS, channel
from training.data.motion_rows import MEAN_AND_SPREAD, ROW_WIDTH, rest_row, row_bounds
from training.data.painted_faces import FELT_CHANNELS, HIDDEN_CHANNELS, PAINTED_CHANNELS, PAINTED_RANGES
from training.data.posed_pairs import BODY_CHANNELS, CURVED_CHANNELS, FACE_CHANNELS, NUM_CROSSED

SIZE_PX = 192  # of the pictures that the codec takes
FILM_PX = 384  # of films as they are shown
FINER = FILM_PX // SIZE_PX
CODEC_FILE = "codec.safetensors"
SPEAK_FILE = "speak_encoder.safetensors"
LISTEN_FILE = "listen_encoder.safetensors"
TEXT_FILE = "text_encoder.safetensors"
BASE_FILE = "base.safetensors"
MOTION_FILE = "motion.safetensors"
POSING_FILE = "posing.safetensors"
CHINESE_FILE = "chinese_text_encoder.safetensors"
MATTE_FILE = "matte.safetensors"
PAINT_FILE = "paint.safetensors"
RETOUCH_FILE = "retouch.safetensors"


def _settings_numbers(row_M: Tensor) -> tuple[float, ...]:
    """A row as a manifest writes it."""
    return tuple(round(float(number), 4) for number in row_M)


COARSE_CODEC = FoldedVaeConfig(border_step_levels=12.0)  # up to 0.17.0
FINE_CHANNELS = 128
CODEC = dataclasses.replace(
    COARSE_CODEC,
    latent_channels=COARSE_CODEC.latent_channels + FINE_CHANNELS * COARSE_CODEC.strides[-1] ** 2,
    fine_channels=FINE_CHANNELS,
)
SPEAK_ENCODER = AudioEncoderConfig(
    noise_floor=NoiseFloorConfig(num_hops=144),
    dilations=(1, 1, 2, 4),
    lookahead_frames=(1, 1, 0, 0),
    frames_per_row=4,
    row_margin_frames=2,
)
LISTEN_ENCODER = AudioEncoderConfig(
    periodicity=PeriodicityConfig(num_lags=48),
    presence=PresenceConfig(num_hops=192),
    dilations=(1, 2, 4, 8, 16, 32),
    lookahead_frames=(0,) * 6,
    frames_per_row=4,
)
TEXT_ENCODER = TextEncoderConfig()
BASE = DitConfig(
    dim=256,
    ffn_dim=1024,
    num_layers=8,
    num_heads=4,
    patch_size=(1, 1, 1),
    in_channels=CODEC.latent_channels,
    out_channels=CODEC.latent_channels,
    text_dim=TEXT_ENCODER.width,
    speak_dim=SPEAK_ENCODER.row_width,
    listen_dim=LISTEN_ENCODER.row_width,
    motion_dim=ROW_WIDTH,
    is_shown_posed_anchor=True,
    speak_window=AudioWindow(rows_per_latent=1, rows_before=0, rows_after=0),
    listen_window=AudioWindow(rows_per_latent=1, rows_before=2, rows_after=0),
)

MATTE = MatteConfig()
PAINT = PaintConfig(
    frame_width=len(STATE_CHANNELS),
    face_columns=tuple(channel(name) for name in PAINTED_CHANNELS),
    face_least=tuple(round(PAINTED_RANGES[name][0] / MEAN_AND_SPREAD[name][1], 4) for name in PAINTED_CHANNELS),
    face_most=tuple(round(PAINTED_RANGES[name][1] / MEAN_AND_SPREAD[name][1], 4) for name in PAINTED_CHANNELS),
    hidden_columns=tuple(channel(name) for name in HIDDEN_CHANNELS),
    dragged_columns=tuple(channel(name) for name in (*FACE_CHANNELS, *FELT_CHANNELS)),
    felt_columns=tuple(channel(name) for name in FELT_CHANNELS),
)
RETOUCH = RetouchConfig(frame_width=len(STATE_CHANNELS), frames_per_latent=CODEC.frames_per_latent)
MOTION = DitConfig(
    dim=192,
    ffn_dim=768,
    num_layers=5,
    num_heads=4,
    patch_size=(1, 1, 1),
    in_channels=ROW_WIDTH,
    out_channels=ROW_WIDTH,
    text_dim=TEXT_ENCODER.width,
    speak_dim=SPEAK_ENCODER.row_width,
    listen_dim=LISTEN_ENCODER.row_width,
    speak_window=BASE.speak_window,
    listen_window=BASE.listen_window,
)
POSING = PoseFlowConfig(
    frame_width=len(STATE_CHANNELS),
    body_columns=tuple(channel(name) for name in BODY_CHANNELS),
    face_columns=tuple(channel(name) for name in FACE_CHANNELS),
    num_crossed=NUM_CROSSED,
    curved_columns=tuple(channel(name) for name in CURVED_CHANNELS),
    field_scale=2,
)
# How much each number of a plan resists a change of its speed: heads and shoulders have mass, lips and lids hardly any. With these,
# planned heads, gazes and brows change from frame to frame as performances do, and nod as often as they did.
STIFFNESS = {
    **dict.fromkeys(("yaw", "roll", "lean", "sway", "breath", "shoulders", "squint", "smile"), 8.0),
    "pitch": 0.4,  # nods are quick
    **dict.fromkeys(("gaze_x", "gaze_y"), 0.4),
    **dict.fromkeys(("brow_left", "brow_right"), 1.0),
    **dict.fromkeys(EXPRESSION_CHANNELS, 8.0),  # feelings come and go in a third of a second
}
# How far from rest each number is drawn, of how far it is planned: plans, which are means of many ways to say a thing, tell feelings with
# six to nine tenths of their strength, and less the longer they last. Heads turn by up to 0.38 radians; beyond 0.3 the pose flow
# pulls ears out from behind them and tears chins.
FELT_SHARE = 1.3
TURNED_SHARE = 0.8
DRAWN_SHARE = {**dict.fromkeys(FELT_CHANNELS, FELT_SHARE), "yaw": TURNED_SHARE}
MOTION_SETTINGS = MotionSettings(
    rest=_settings_numbers(rest_row()),
    least=_settings_numbers(row_bounds()[0]),
    most=_settings_numbers(row_bounds()[1]),
    num_steps=4,
    history_keep=0.96,
    stiffness=tuple(STIFFNESS.get(name, 0.0) for name in STATE_CHANNELS),
    articulation=tuple(channel(name) for name in MOUTH),
    articulation_lot=0.0,
    feelings=tuple(channel(f"expression_{name}") for name in EXPRESSIONS),
    drawn_share=tuple(DRAWN_SHARE.get(name, 1.0) for name in STATE_CHANNELS) * CODEC.frames_per_latent,
    guidance=GuidanceScales(text=1.5, speak=1.5, listen=1.5),  # of one strength: two forwards a step instead of four
)

# The plain guess of a frame: the anchor in its pose, moved this far by what the last frame before it differed from its own; and how
# much films differ from that guess at each of the 8 x 8 positions, up to three latents ahead. Measured over 128 clips; never below 0.08.
HISTORY_SHARE = 0.6
HISTORY_ERROR = 0.2  # about what a window's last latent is wrong by
RESIDUAL_STD = (
    0.08, 0.08, 0.08, 0.08, 0.08, 0.08, 0.08, 0.08,
    0.08, 0.08, 0.11, 0.13, 0.11, 0.09, 0.08, 0.08,
    0.08, 0.11, 0.30, 0.49, 0.49, 0.30, 0.11, 0.08,
    0.08, 0.16, 0.48, 0.68, 0.64, 0.44, 0.17, 0.08,
    0.08, 0.17, 0.31, 0.59, 0.57, 0.33, 0.18, 0.08,
    0.08, 0.11, 0.24, 0.76, 0.79, 0.29, 0.12, 0.08,
    0.08, 0.08, 0.17, 0.33, 0.34, 0.21, 0.08, 0.08,
    0.08, 0.09, 0.08, 0.09, 0.10, 0.08, 0.10, 0.08,
)  # fmt: skip

Module = TypeVar("Module", bound=nn.Module)


def trained(folder: Path, file_name: str, module: Module) -> Module:
    """The module filled from `folder / file_name`, frozen, in evaluation mode; `BadInputError` where it is missing."""
    fill_from_file(folder / file_name, module)
    return module.eval().requires_grad_(False)


def trained_codec(folder: Path) -> FoldedVae:
    """The codec of a folder of parts."""
    return trained(folder, CODEC_FILE, FoldedVae(CODEC)).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
