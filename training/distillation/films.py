"""Stretches of clips as the causal models meet them: some latents in chunks, behind one that stands before them.

Called by teacher, stages and tasks of distillation. Which stretch, follows from the film's number alone. It must not know models.
"""

from dataclasses import dataclass, replace
from typing import Final

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
    mouth_BFHW, eyes_BFHW: how much of each latent position they cover; None where no cost of decoded pictures needs them.
    """

    latents_BFCHW: Tensor
    first_BCHW: Tensor
    references: ReferenceLatents
    text_BFSD: Tensor
    speak_BAD: Tensor
    listen_BAD: Tensor
    motion_BFM: Tensor | None = None
    posed_BFCHW: Tensor | None = None
    mouth_BFHW: Tensor | None = None
    eyes_BFHW: Tensor | None = None

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
        references = replace(
            self.references,
            latents_BRCHW=self.references.latents_BRCHW.to(device),
            kinds_BR=self.references.kinds_BR.to(device),
            subtypes_BR=self.references.subtypes_BR.to(device),
            anchor_B=None if self.references.anchor_B is None else self.references.anchor_B.to(device),
        )
        moved = {name: field.to(device) for name, field in self.__dict__.items() if isinstance(field, Tensor)}
        return replace(self, references=references, **moved)


def _rows(rows_BAD: Tensor, start: int, count: int) -> Tensor:
    """Rows from `start` on; rows before the first are zeros: silence, or no motion told."""
    missing = min(max(-start, 0), count)
    silence_BAD = rows_BAD.new_zeros(rows_BAD.shape[0], missing, rows_BAD.shape[2])
    return torch.cat([silence_BAD, rows_BAD[:, start + missing : start + count]], dim=1)


@dataclass(frozen=True, kw_only=True)
class StartShares:
    """What films begin behind, as shares of them: the global picture, as a session does, or a latent with another expression than
    the anchor's, as where a direction asks for a new one; else what was shown before."""

    portrait: float = 0.0
    altered: float = 0.0


AS_SHOWN: Final = StartShares()


def cut_film(
    features: ClipFeatures, number: int, num_latents: int, shares: StartShares = AS_SHOWN
) -> dict[str, Tensor]:
    """Film `number` as a sample: a stretch of some clip with everything that `film_of` needs."""
    rng = np.random.default_rng([number, 31])
    clip = int(rng.integers(features.num_clips))
    length = features.clips["latents_FCHW"].shape[1]
    num_rows = features.speak_NAD.shape[1]  # an encoder that hears ahead has none for a clip's end
    num_starts = min(length, num_rows) - num_latents
    start = int(rng.integers(num_starts))  # of the latent before the film
    fields = {name: tensor[clip] for name, tensor in features.clips.items()}
    before_CHW, is_own_anchor, lot = fields["latents_FCHW"][start], True, rng.random()
    if lot < shares.portrait:
        before_CHW = fields["references_RCHW"][0]
    elif lot < shares.portrait + shares.altered:
        altered = int(rng.integers(len(fields["altered_starts_N"])))
        if int(fields["altered_starts_N"][altered]) < num_starts:
            start = int(fields["altered_starts_N"][altered])
            before_CHW, is_own_anchor = fields["altered_NCHW"][altered], False
    stretch, film = slice(start, start + num_latents + 1), slice(start + 1, start + num_latents + 1)
    per_latent = features.clips["state_TK"].shape[1] // length
    listen_lead = features.listen_NAD.shape[1] - features.speak_NAD.shape[1]
    state_TK = fields["state_TK"][per_latent * film.start : per_latent * film.stop].float()
    shown = shown_references(fields["reference_indices_R"], state_TK, np.random.default_rng([clip, start, 7]))
    covered = {name: fields[name][film].float() for name in ("mouth_FHW", "eyes_FHW") if name in fields}
    posed = {}
    if features.posed_NAFCHW is not None:
        posed_FCHW = features.posed_NAFCHW[clip, shown.anchor, stretch].float()
        behind_FCHW = before_CHW[None].float() if is_own_anchor else posed_FCHW[:1]
        posed["posed_FCHW"] = torch.cat([behind_FCHW, posed_FCHW[1:]])
    return {
        **posed,
        "latents_FCHW": torch.cat([before_CHW[None], fields["latents_FCHW"][film]]).float(),
        **covered,
        "state_TK": state_TK,
        "motion_FM": _true_rows(state_TK, num_latents),
        **shown.fields(fields["references_RCHW"]),
        "text_FSD": features.text_NCLD[clip][fields["text_of_latent_F"][film].long()].float(),
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
        mouth_BFHW=batch.get("mouth_FHW"),
        eyes_BFHW=batch.get("eyes_FHW"),
    )


def _true_rows(state_TK: Tensor, num_latents: int) -> Tensor:
    """The motion rows [F, M] of what the actor did, and zeros, which tell nothing, for a person, whose state nobody knows."""
    if state_TK.shape[1] != len(STATE_CHANNELS):
        return torch.zeros(num_latents, ROW_WIDTH)
    return motion_rows(state_TK)
