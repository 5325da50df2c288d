"""What a film by a small pack has to reach, by figure: of the base model, and of the causal pair that performs live.

Called by `figures`. The pair does in three steps what the base model is given more for, and has never seen what comes next: it is
asked for a little less.
"""

from collections.abc import Mapping
from typing import Final

from training.bench.report import Bar

Bars = Mapping[str, Bar]

_BOTH: Final[Bars] = {
    "false_lip_rate": Bar(most=0.03),
    "nod_ratio": Bar(least=2.0),
    "nods_left_when_muted": Bar(most=0.33),
    "psnr_db": Bar(least=32.0),
    "psnr_mouth_db": Bar(least=29.0),
    "psnr_eyes_db": Bar(least=29.0),
    "sharpness_ratio": Bar(least=0.7),
}
BASE_BARS: Final[Bars] = {
    **_BOTH,
    "mouth_r": Bar(least=0.85),
    "mouth_amplitude": Bar(least=0.8),
    "closures_seen": Bar(least=0.8),
    "identity_top1": Bar(least=0.98),
    "sibling_top1": Bar(least=0.75),
    "expression_accuracy": Bar(least=0.9),
    "directions_hit": Bar(least=0.8),
    "nod_f1": Bar(least=0.7),
    "motion_ratio": Bar(least=0.8, most=1.2),
}
LIVE_BARS: Final[Bars] = {
    **_BOTH,
    "mouth_r": Bar(least=0.8),
    "mouth_amplitude": Bar(least=0.75),
    "closures_seen": Bar(least=0.75),
    "identity_top1": Bar(least=0.96),
    "sibling_top1": Bar(least=0.7),
    "expression_accuracy": Bar(least=0.85),
    "directions_hit": Bar(least=0.75),
    "nod_f1": Bar(least=0.65),
    "motion_ratio": Bar(least=0.75, most=1.2),
}
