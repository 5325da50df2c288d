"""Stretches of clips as the causal models meet them: some latents in chunks, behind one that stands before them.

Called by teacher, stages and tasks of distillation. Which stretch, follows from the film's number alone. It must not know models.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from engine.model.transformer import DitInputs
from engine.model_config import DitConfig
from engine.online.conditions import ChunkConditions
from engine.references import ReferenceLatents
from training.actor.state import STATE_CHANNELS
from training.data.motion_rows import ROW_WIDTH, motion_rows
from training.data.windows import ClipFeatures, shown_references


@dataclass(frozen=True, kw_only=True)
class Film:
    """A batch of films of F latents. Rows of sound: one a latent, from the latent before the film on; of listening,
    `listen_lead` rows more before that.

    latents_BFCHW: what the actor really did. text_BFSD: the caption that holds at each latent.
    motion_BFM: the same as motion rows, for models that are told; None or rows of zeros where nobody knows.
    posed_BFCHW: the anchor in the pose of the latent before the film and of each of its own; None where nothing is posed.
    """

    latents_BFCHW: Tensor
    first_BCHW: Tensor
    references: ReferenceLatents
    text_BFSD: Tensor
    speak_BAD: Tensor
    listen_BAD: Tensor
    motion_BFM: Tensor | None = None
    posed_BFCHW: Tensor | None = None

    @property
    def num_latents(self) -> int:
        """F."""
        return self.latents_BFCHW.shape[1]

    @property
    def listen_lead(self) -> int:
        """Rows of listening before those of the latent that stands before the film."""
        return self.listen_BAD.shape[1] - self.speak_BAD.shape[1]

    def conditions(self, first_latent: int, num_latents: int, config: DitConfig) -> ChunkConditions:
        """What a chunk is told; its text is the one that holds in its middle."""
        speak, listen = (
            _rows(rows_BAD, lead + 1 + first_latent - before, before + num_latents)
            for rows_BAD, lead, before in (
                (self.speak_BAD, 0, config.speak_window.rows_before),
                (self.listen_BAD, self.listen_lead, config.listen_window.rows_before),
            )
        )
        return ChunkConditions(
            num_latents=num_latents,
            text_BSD=self.text_BFSD[:, first_latent + num_latents // 2],
            speak_BAD=speak,
            listen_BAD=listen,
            motion_BFM=self._motion(first_latent, num_latents),
            posed_BFCHW=self.posed_behind(first_latent, num_latents),
        )

    def window_inputs(self, history_BCHW: Tensor, first_latent: int, latents_BFCHW: Tensor, sigma: Tensor) -> DitInputs:
        """A window of the base model: one clean latent, then latents at noise level `sigma` [B], from `first_latent` on."""
        num_latents = latents_BFCHW.shape[1]
        new_BF = sigma[:, None].expand(-1, num_latents)
        return DitInputs(
            latents_BFCHW=torch.cat([history_BCHW[:, None], latents_BFCHW], dim=1),
            timestep_BF=1000.0 * torch.cat([torch.zeros_like(new_BF[:, :1]), new_BF], dim=1),
            references=replace(self.references, posed_BFCHW=self.posed_behind(first_latent, num_latents)),
            text_BSD=self.text_BFSD[:, first_latent + num_latents // 2],
            speak_BAD=self.speak_BAD[:, first_latent : first_latent + num_latents + 1],
            listen_BAD=self.listen_BAD[:, first_latent : first_latent + num_latents + 1 + self.listen_lead],
            speak_start_row=0,
            listen_start_row=-self.listen_lead,
            motion_BFM=self._motion(first_latent - 1, num_latents + 1),
        )

    def _motion(self, first_latent: int, num_latents: int) -> Tensor | None:
        """The rows of these latents; of what stands before the film nothing is told, as in a film that begins with a still."""
        return None if self.motion_BFM is None else _rows(self.motion_BFM, first_latent, num_latents)

    def posed_behind(self, first_latent: int, num_latents: int) -> Tensor | None:
        """The anchor in the pose of the latent before these and of each of them, [B, 1 + F, C, h, w]."""
        return None if self.posed_BFCHW is None else self.posed_BFCHW[:, first_latent : first_latent + num_latents + 1]

    def to(self, device: torch.device) -> "Film":
        """The same films on a device."""
        motion_BFM = None if self.motion_BFM is None else self.motion_BFM.to(device)
        posed_BFCHW = None if self.posed_BFCHW is None else self.posed_BFCHW.to(device)
        references = replace(
            self.references,
            latents_BRCHW=self.references.latents_BRCHW.to(device),
            kinds_BR=self.references.kinds_BR.to(device),
            subtypes_BR=self.references.subtypes_BR.to(device),
            anchor_B=None if self.references.anchor_B is None else self.references.anchor_B.to(device),
        )
        names = ("latents_BFCHW", "first_BCHW", "text_BFSD", "speak_BAD", "listen_BAD")
        moved = {name: self.__dict__[name].to(device) for name in names}
        return replace(self, references=references, motion_BFM=motion_BFM, posed_BFCHW=posed_BFCHW, **moved)


def _rows(rows_BAD: Tensor, start: int, count: int) -> Tensor:
    """Rows from `start` on; rows before the first are zeros: silence, or no motion told."""
    missing = min(max(-start, 0), count)
    silence_BAD = rows_BAD.new_zeros(rows_BAD.shape[0], missing, rows_BAD.shape[2])
    return torch.cat([silence_BAD, rows_BAD[:, start + missing : start + count]], dim=1)


def cut_film(features: ClipFeatures, number: int, num_latents: int) -> dict[str, Tensor]:
    """Film `number` as a sample: a stretch of some clip with everything that `film_of` needs."""
    rng = np.random.default_rng([number, 31])
    clip = int(rng.integers(features.num_clips))
    length = features.clips["latents_FCHW"].shape[1]
    num_rows = features.speak_NAD.shape[1]  # an encoder that hears ahead has none for a clip's end
    start = int(rng.integers(min(length, num_rows) - num_latents))  # of the latent before the film
    stretch = slice(start, start + num_latents + 1)
    per_latent = features.clips["state_TK"].shape[1] // length
    fields = {name: tensor[clip] for name, tensor in features.clips.items()}
    listen_lead = features.listen_NAD.shape[1] - features.speak_NAD.shape[1]
    text_F = fields["text_of_latent_F"][start + 1 : start + 1 + num_latents].long()
    state_TK = fields["state_TK"][per_latent * (start + 1) : per_latent * (start + 1 + num_latents)].float()
    shown = shown_references(fields["reference_indices_R"], state_TK, np.random.default_rng([clip, start, 7]))
    posed = {}
    if features.posed_NAFCHW is not None:
        posed_FCHW = features.posed_NAFCHW[clip, shown.anchor, stretch].float()
        posed["posed_FCHW"] = torch.cat([fields["latents_FCHW"][start : start + 1].float(), posed_FCHW[1:]])
    return {
        **posed,
        "latents_FCHW": fields["latents_FCHW"][stretch].float(),
        "state_TK": state_TK,
        "motion_FM": _true_rows(state_TK, num_latents),
        **shown.fields(fields["references_RCHW"]),
        "text_FSD": features.text_NCLD[clip][text_F].float(),
        "speak_AD": features.speak_NAD[clip, stretch].float(),
        "listen_AD": features.listen_NAD[clip, start : start + num_latents + 1 + listen_lead].float(),
    }


def film_of(batch: dict[str, Tensor]) -> Film:
    """A batch of samples from `cut_film` as a film."""
    return Film(
        latents_BFCHW=batch["latents_FCHW"][:, 1:],
        first_BCHW=batch["latents_FCHW"][:, 0],
        references=ReferenceLatents(
            latents_BRCHW=batch["references_RCHW"],
            kinds_BR=batch["kinds_R"],
            subtypes_BR=batch["subtypes_R"],
            anchor_B=batch["anchor"],
        ),
        text_BFSD=batch["text_FSD"],
        speak_BAD=batch["speak_AD"],
        listen_BAD=batch["listen_AD"],
        motion_BFM=batch.get("motion_FM"),
        posed_BFCHW=batch.get("posed_FCHW"),
    )


def _true_rows(state_TK: Tensor, num_latents: int) -> Tensor:
    """The motion rows [F, M] of what the actor did, and zeros, which tell nothing, for a person, whose state nobody knows."""
    if state_TK.shape[1] != len(STATE_CHANNELS):
        return torch.zeros(num_latents, ROW_WIDTH)
    return motion_rows(state_TK)
