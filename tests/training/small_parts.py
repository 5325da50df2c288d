"""The parts of the smallest models of the recipes' kinds, as a training run leaves them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from engine.codec.folded_vae import FoldedVae
from engine.encoders.audio import AudioEncoder
from engine.encoders.text import TextEncoder
from engine.model.transformer import Transformer
from engine.packs import save_weights
from engine.posing.matte import Matte
from engine.posing.paint import Paint
from engine.posing.pose_flow import PoseFlow
from engine.posing.retouch import Retouch
from training.packing import BACKBONE_FILE, REFINER_FILE
from training.recipes import parts

SMALL = {"dim": 24, "ffn_dim": 32, "num_layers": 1, "num_heads": 2}


def write_small_parts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes the recipes' parts small for this test, and writes them, random everywhere."""
    monkeypatch.setattr(parts, "SIZE_PX", 48)
    monkeypatch.setattr(parts, "FILM_PX", 48 * parts.FINER)
    sides, shapes = ("encoder", "decoder"), {"widths": (8, 8, 8), "blocks": (1, 1, 1)}
    thin = {f"{side}_{name}": shape for side in sides for name, shape in shapes.items()}
    monkeypatch.setattr(parts, "CODEC", replace(parts.CODEC, **thin))
    monkeypatch.setattr(parts, "BASE", replace(parts.BASE, **SMALL))
    monkeypatch.setattr(parts, "MOTION", replace(parts.MOTION, **SMALL))
    monkeypatch.setattr(parts, "POSING", replace(parts.POSING, look_px=16, widths=(4, 6)))
    monkeypatch.setattr(parts, "MATTE", replace(parts.MATTE, look_px=16, widths=(4, 6)))
    small_paint = replace(parts.PAINT, look_px=16, look_widths=(4, 6), width=6, mixed_width=5, told_width=8)
    monkeypatch.setattr(parts, "PAINT", small_paint)
    monkeypatch.setattr(parts, "RETOUCH", replace(parts.RETOUCH, width=8, num_blocks=1))
    torch.manual_seed(0)
    modules: dict[str, nn.Module] = {
        parts.CODEC_FILE: FoldedVae(parts.CODEC),
        parts.BASE_FILE: Transformer(parts.BASE),
        parts.SPEAK_FILE: AudioEncoder(parts.SPEAK_ENCODER),
        parts.LISTEN_FILE: AudioEncoder(parts.LISTEN_ENCODER),
        parts.TEXT_FILE: TextEncoder(parts.TEXT_ENCODER),
        parts.MOTION_FILE: Transformer(parts.MOTION),
        parts.POSING_FILE: PoseFlow(parts.POSING),
        parts.MATTE_FILE: Matte(parts.MATTE),
        parts.PAINT_FILE: Paint(parts.PAINT),
        parts.RETOUCH_FILE: Retouch(parts.RETOUCH),
        BACKBONE_FILE: Transformer(parts.BASE),
        REFINER_FILE: Transformer(parts.BASE),
    }
    for name, module in modules.items():
        for parameter in module.parameters():
            parameter.data.add_(0.05 * torch.randn_like(parameter))
        save_weights(folder / name, module)
    return folder
