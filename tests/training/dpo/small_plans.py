"""A motion model of a few thousand parameters and makers of its plans, on clips of noise."""

import torch
from torch import nn

from engine.model.transformer import Transformer
from engine.model_config import AudioWindow, DitConfig
from engine.motion.plan import MotionModel
from engine.motion.settings import MotionSettings
from tests.training.tasks.small_base import ONE_ROW, WIDTH, clips_of_noise
from training.data.motion_rows import ROW_WIDTH, rest_row
from training.dpo.candidates import CandidateConfig, CandidateMaker
from training.dpo.pareto import ParetoConfig
from training.dpo.plan_scenes import SceneShape

SHAPE = SceneShape(history=4, part_rows=2, num_parts=3)
CONFIG = DitConfig(
    dim=24,
    ffn_dim=32,
    num_layers=1,
    num_heads=2,
    patch_size=(1, 1, 1),
    in_channels=ROW_WIDTH,
    out_channels=ROW_WIDTH,
    text_dim=WIDTH,
    speak_dim=WIDTH,
    listen_dim=WIDTH,
    frequency_dim=16,
    speak_window=ONE_ROW,
    listen_window=AudioWindow(rows_per_latent=1, rows_before=2, rows_after=0),
)
SETTINGS = MotionSettings(rest=tuple(rest_row().tolist()), history_rows=4, num_steps=2)


def small_motion(seed: int = 0) -> MotionModel:
    """Random weights, none of them zero."""
    torch.manual_seed(seed)
    transformer = Transformer(CONFIG)
    for parameter in transformer.parameters():
        nn.init.normal_(parameter, std=0.1)
    return MotionModel(transformer=transformer.eval().requires_grad_(False), settings=SETTINGS)


def small_maker(num_scenes: int = 6, num_seeds: int = 4) -> CandidateMaker:
    """Its plans of clips of noise, of which about every other pair has a winner on the axis of motion alone."""
    margins = {axis: 10.0 for axis in ("lip_sync", "mouth_closed", "nods", "reactions", "expression")}
    pareto = ParetoConfig(margins={**margins, "motion": 0.001}, most_motion_ratio=2.0)
    config = CandidateConfig(num_scenes=num_scenes, num_seeds=num_seeds, shape=SHAPE, pareto=pareto, at_once=4)
    return CandidateMaker(motion=small_motion(), features=clips_of_noise(), config=config)
