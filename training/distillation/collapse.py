"""Gates that a distilled model must pass: distribution matching can still films, flatten them or burn them out, and the loss does not tell.

Called by the tasks of distillation after each held-out measure. A run that falls out of a gate stops; the weights that are shipped
are those of its best measure inside.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

BURNT_OUT = 4.0  # in standard deviations of the truth


@dataclass(frozen=True, kw_only=True)
class FilmFigures:
    """How made films compare with the truth: `motion` and `variance` as ratios, `saturation` as the share of values beyond
    `BURNT_OUT` deviations less the truth's, `distance` as the mean absolute difference."""

    motion: float
    variance: float
    saturation: float
    distance: float

    @classmethod
    def of(cls, made_BFCHW: Tensor, truth_BFCHW: Tensor) -> "FilmFigures":
        """Of films in latents; one that is not finite has figures that pass no gate."""
        made, truth = made_BFCHW.float(), truth_BFCHW.float()
        spread = truth.std()

        def burnt(films: Tensor) -> float:
            return float(((films - truth.mean()).abs() > BURNT_OUT * spread).float().mean())

        def motion(films: Tensor) -> Tensor:
            return films.diff(dim=1).square().mean().sqrt()

        return cls(
            motion=float(motion(made) / motion(truth).clamp(min=1e-6)),
            variance=float(made.var() / truth.var()),
            saturation=burnt(made) - burnt(truth) if bool(torch.isfinite(made).all()) else 1.0,
            distance=float((made - truth).abs().mean()),
        )


@dataclass(frozen=True, kw_only=True)
class CollapseGate:
    """What is still a film: (least, most) of each ratio, most saturation."""

    motion: tuple[float, float] = (0.2, 2.5)
    variance: tuple[float, float] = (0.4, 2.0)
    most_saturation: float = 0.02

    def complaint(self, figures: FilmFigures) -> str | None:
        """Which gate the figures fall out of, in one line; None inside."""
        for name, value, (least, most) in (
            ("motion", figures.motion, self.motion),
            ("variance", figures.variance, self.variance),
            ("saturation", figures.saturation, (-1.0, self.most_saturation)),
        ):
            if not least <= value <= most:
                return f"{name} is {value:.3g} of the truth's, outside {least:g} .. {most:g}: the model has collapsed"
        return None


@dataclass(frozen=True, kw_only=True)
class BestMark:
    """The file beside the best weights that says how good they are; it outlives a kill."""

    path: Path

    def is_beaten_by(self, distance: float) -> bool:
        """Whether there is no mark yet, or a worse one."""
        return not self.path.exists() or distance < float(json.loads(self.path.read_text())["distance"])

    def set(self, figures: FilmFigures) -> None:
        """Written after the weights: a kill between the two leaves better weights under a worse mark, never the reverse."""
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(figures.__dict__))
        partial.replace(self.path)
