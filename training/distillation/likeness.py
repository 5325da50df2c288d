"""How unlike made films are to what the actor did: in latents, and in what some of them look like once they are decoded.

Models that are told how the actor moved, and are shown the anchor in that pose, have one right picture left to draw. So here the truth
itself can be asked for wherever a teacher could be, also behind a student's own history, and costs no teacher. Mouths and eyes are weighed,
and errors bent, as in the base model's training (`training.objectives`).
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.codec.folded_vae import FoldedVae
from training.distillation.films import Film
from training.objectives.flow_matching import FlowMatchingConfig, bends, covered_weights, velocity_loss
from training.objectives.pictures import (
    PictureConfig,
    balanced,
    covering,
    drawn,
    picture_loss,
    picture_weights,
)


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """The frozen codec draws, the configs weigh."""

    codec: FoldedVae
    flow: FlowMatchingConfig = field(default_factory=FlowMatchingConfig)
    pictures: PictureConfig = field(default_factory=PictureConfig)

    def loss(self, film: Film, made_SBFCHW: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Of S versions of the films: the error of latents with the pull of the pictures beside it, and both by name."""
        made_XFCHW, num_versions = made_SBFCHW.flatten(0, 1), len(made_SBFCHW)
        truth_XFCHW, mouth_XFHW, eyes_XFHW = (_repeated(x, num_versions) for x in _truth(film))
        latents = velocity_loss(
            made_XFCHW - truth_XFCHW,
            covered_weights(self.flow, mouth_XFHW, eyes_XFHW),
            bends(self.flow, mouth_XFHW),
        )
        shown_S = torch.randperm(len(made_XFCHW), generator=generator)[: self.pictures.most_samples]
        pictures = self._pictures(film, made_XFCHW, shown_S, generator)
        pull = balanced(pictures, latents, made_XFCHW, self.pictures.share)
        return {"loss": latents + pull, "latents": latents.detach(), "pictures": pictures.detach()}

    @torch.no_grad()
    def unlikeness(self, film: Film, made_BFCHW: Tensor) -> float:
        """The cost of pictures alone, of one latent of each film, always the same ones."""
        generator = torch.Generator().manual_seed(2)
        return float(self._pictures(film, made_BFCHW, torch.arange(len(made_BFCHW)), generator))

    def _pictures(self, film: Film, made_XFCHW: Tensor, shown_S: Tensor, generator: torch.Generator) -> Tensor:
        """One latent by lot of each version that is shown; versions follow on each other film by film."""
        truth_BFCHW, mouth_BFHW, eyes_BFHW = _truth(film)
        film_S = shown_S % film.latents_BFCHW.shape[0]
        chosen_S = torch.randint(film.num_latents, (len(shown_S),), generator=generator)
        first_S1CHW = film.first_BCHW[film_S, None]
        with torch.no_grad():
            target_BTCHW = drawn(self.codec, torch.cat([first_S1CHW, truth_BFCHW[film_S]], dim=1), 1 + chosen_S)
        mouth_BHW, eyes_BHW = mouth_BFHW[film_S, chosen_S], eyes_BFHW[film_S, chosen_S]
        size_px = target_BTCHW.shape[-1]
        return picture_loss(
            self.pictures,
            drawn(self.codec, torch.cat([first_S1CHW, made_XFCHW[shown_S]], dim=1), 1 + chosen_S),
            target_BTCHW,
            picture_weights(self.pictures, mouth_BHW, eyes_BHW, size_px),
            covering(mouth_BHW, size_px),
        )


def _truth(film: Film) -> tuple[Tensor, Tensor, Tensor]:
    """Latents, and where mouths and eyes are; `ValueError` for films that do not say."""
    if film.mouth_BFHW is None or film.eyes_BFHW is None:
        raise ValueError("films are held to pictures only where it is known how much mouths and eyes cover of them")
    return film.latents_BFCHW, film.mouth_BFHW, film.eyes_BFHW


def _repeated(films: Tensor, times: int) -> Tensor:
    return films.repeat(times, *[1] * (films.dim() - 1))
