"""How a pack's base model is sampled; read from the manifest, changed by a job only where it may be."""

from dataclasses import dataclass, field

from engine.flow.guidance import GuidanceInterval, GuidanceScales
from engine.flow.sampler import SOLVER_NAMES


@dataclass(frozen=True, kw_only=True)
class BaseSettings:
    """A window of `window_latents` begins with `history_latents` clean ones of the film so far, then `overlap_latents` that
    are made again and blended with what the window before made of them; the rest is new (paper 3.3).

    `residual_std` and `history_share` go with the preconditioning (see there). `history_keep` and `history_error` are how much
    of its difference from the global reference the history keeps when a window continues from it (`engine.flow.history`): a
    share of all, and the spread of the model's errors. `max_references` is the most that the pack was trained with: the global
    one, then expressions, then views.
    """

    preconditioning: str = "identity"
    residual_std: tuple[float, ...] = (1.0,)
    history_share: float = 0.0
    num_steps: int = 12
    shift: float = 3.0
    solver: str = "unipc"
    window_latents: int = 9
    history_latents: int = 2
    overlap_latents: int = 1
    history_keep: float = 1.0
    history_error: float = 0.0
    max_references: int = 13
    guidance: GuidanceScales = field(default_factory=GuidanceScales)
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    guidance_rescale: float = 0.0

    def __post_init__(self) -> None:
        if self.solver not in SOLVER_NAMES:
            raise ValueError(f"there is no solver {self.solver!r}; known: {', '.join(SOLVER_NAMES)}")
        if len(self.guidance_interval) != 2:
            raise ValueError(f"guidance_interval is two noise levels, not {self.guidance_interval}")
        if not 0.0 <= self.guidance_rescale <= 1.0:
            raise ValueError(f"guidance_rescale is a share between 0 and 1, not {self.guidance_rescale}")
        GuidanceInterval(low=self.guidance_interval[0], high=self.guidance_interval[1])
        if not 0.0 <= self.history_keep <= 1.0:
            raise ValueError(f"history_keep is a share between 0 and 1, not {self.history_keep}")
        if self.history_error < 0.0:
            raise ValueError(f"history_error is a spread, so at least 0, not {self.history_error}")
        if self.history_latents < 1 or self.overlap_latents < 0 or self.new_latents < 1:
            raise ValueError(
                f"a window of {self.window_latents} latents has no room for {self.history_latents} of history, "
                f"{self.overlap_latents} of overlap and anything new"
            )

    @property
    def new_latents(self) -> int:
        """Latents that each later window adds to the film."""
        return self.window_latents - self.history_latents - self.overlap_latents
