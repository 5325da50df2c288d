"""Windows of clips as batches for the base model, cut from shards held in memory.

Which clip, where it is cut, how much of it is history and which conditions are dropped follows from the sample's number
alone. Called by the base model's task.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from engine.encoders.audio import AudioEncoder
from engine.encoders.text import TextEncoder
from engine.references import ReferenceKind
from training.data.clips import LEAD_FRAMES, REFERENCE_NAMES
from training.parallel import World

ENCODE_BATCH = 16


@dataclass(frozen=True, kw_only=True)
class WindowConfig:
    """How a training window looks. Shares are of samples; latents are counted in latent frames."""

    num_latents: int = 4
    max_history_latents: int = 1
    no_history_share: float = 0.05
    neutral_share: float = (
        0.35  # history has no expression yet: how a film begins, with all of the direction still to do
    )
    text_drop_share: float = 0.1
    speak_drop_share: float = 0.1
    listen_drop_share: float = 0.1
    extra_references_share: float = 0.3
    listen_history_rows: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.max_history_latents < self.num_latents:
            raise ValueError("a window needs room for history and for something new")


@dataclass(frozen=True, kw_only=True)
class ClipFeatures:
    """The clips of all shards in memory, sound and captions already encoded by the frozen encoders (float16)."""

    clips: dict[str, Tensor]
    speak_NAD: Tensor  # one row a latent, from the lead's end on
    listen_NAD: Tensor  # one row a latent, from the lead's end minus the history on
    text_NCLD: Tensor

    @property
    def num_clips(self) -> int:
        """Clips to cut windows from."""
        return len(self.clips["latents_FCHW"])


@torch.inference_mode()
def encode_features(
    clips: dict[str, Tensor], speak: AudioEncoder, listen: AudioEncoder, text: TextEncoder, config: WindowConfig
) -> ClipFeatures:
    """Runs the frozen encoders over every clip; sounds are let go of afterwards."""
    speak_rows, listen_rows, text_rows = [], [], []
    for start in range(0, len(clips["speak_S"]), ENCODE_BATCH):
        part = slice(start, start + ENCODE_BATCH)
        speak_BTD = speak(clips["speak_S"][part].float() / 32767.0)
        speak_rows.append(speak.stack(speak_BTD[:, LEAD_FRAMES - speak.config.row_margin_frames :]).half())
        listen_BTD = listen(clips["listen_S"][part].float() / 32767.0)
        first_frame = LEAD_FRAMES - config.listen_history_rows * listen.config.frames_per_row
        listen_rows.append(listen.stack(listen_BTD[:, first_frame - listen.config.row_margin_frames :]).half())
        captions_BL = rearrange(clips["text_NL"][part], "b n l -> (b n) l").long()
        text_rows.append(rearrange(text(captions_BL), "(b n) l d -> b n l d", n=clips["text_NL"].shape[1]).half())
    kept = {name: tensor for name, tensor in clips.items() if name not in ("speak_S", "listen_S", "text_NL")}
    return ClipFeatures(
        clips=kept, speak_NAD=torch.cat(speak_rows), listen_NAD=torch.cat(listen_rows), text_NCLD=torch.cat(text_rows)
    )


def window_batches(
    features: ClipFeatures, config: WindowConfig, first_sample: int, batch_samples: int, world: World
) -> Iterator[dict[str, Tensor]]:
    """Batches of windows from sample `first_sample` on; a batch has extra references in all of its samples or in none."""
    number = first_sample
    while True:
        stop = number + batch_samples * world.size
        has_extra = np.random.default_rng([number, 9]).random() < config.extra_references_share
        samples = [cut_window(features, config, sample) for sample in range(number + world.rank, stop, world.size)]
        batch = {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}
        if not has_extra:
            for name in ("references_RCHW", "kinds_R", "subtypes_R"):
                batch[name] = batch[name][:, :1]
        yield batch
        number = stop


def cut_window(features: ClipFeatures, config: WindowConfig, number: int) -> dict[str, Tensor]:
    """Window `number`: latents with `history` clean ones in front, references, features and truth."""
    rng = np.random.default_rng([number, 5])
    clip = int(rng.integers(features.num_clips))
    fields = {name: tensor[clip] for name, tensor in features.clips.items()}
    length = config.num_latents
    start = int(rng.integers(len(fields["latents_FCHW"]) - length))  # the margin of sound behind it must exist
    begins_neutral = config.max_history_latents == 1 and rng.random() < config.neutral_share
    which = int(rng.integers(len(fields["neutral_starts_N"])))
    if begins_neutral:
        start = int(fields["neutral_starts_N"][which])
    window = slice(start, start + length)
    latents_FCHW = fields["latents_FCHW"][window].float()
    history = 0 if rng.random() < config.no_history_share else int(rng.integers(1, config.max_history_latents + 1))
    if start == 0 and history == 1:  # a first frame of one's own stands before the film as a still
        latents_FCHW = torch.cat([fields["first_CHW"][None].float(), latents_FCHW[1:]])
    if begins_neutral:
        history = 1
        latents_FCHW = torch.cat([fields["neutral_NCHW"][which][None].float(), latents_FCHW[1:]])
    text_index = int(fields["text_of_latent_F"][start + (history + length) // 2])
    conditions = {
        "text_SD": features.text_NCLD[clip, text_index].float(),
        "speak_AD": features.speak_NAD[clip, start : start + length].float(),
        "listen_AD": features.listen_NAD[clip, start : start + length + config.listen_history_rows].float(),
    }
    drops = (config.text_drop_share, config.speak_drop_share, config.listen_drop_share)
    for (name, rows), share in zip(conditions.items(), drops, strict=True):
        if rng.random() < share:
            conditions[name] = torch.zeros_like(rows)
    kinds_R, subtypes_R = reference_numbers(fields["reference_indices_R"])
    return {
        **conditions,
        "latents_FCHW": latents_FCHW,
        "history": torch.tensor(history),
        "references_RCHW": fields["references_RCHW"].float(),
        "kinds_R": kinds_R,
        "subtypes_R": subtypes_R,
        "state_TK": fields["state_TK"][start * 4 : (start + length) * 4].float(),
        "mouth_FHW": fields["mouth_FHW"][window].float(),
        "eyes_FHW": fields["eyes_FHW"][window].float(),
    }


def reference_numbers(indices_R: Tensor) -> tuple[Tensor, Tensor]:
    """Kinds and subtypes of references given by their index in `REFERENCE_NAMES`: global, four views, eight expressions."""
    first_expression = next(i for i, name in enumerate(REFERENCE_NAMES) if name.startswith("expression_"))
    is_expression_R, is_view_R = indices_R >= first_expression, (indices_R > 0) & (indices_R < first_expression)
    kinds_R = int(ReferenceKind.VIEW) * is_view_R + int(ReferenceKind.EXPRESSION) * is_expression_R
    subtypes_R = torch.where(is_expression_R, indices_R - first_expression, (indices_R - 1).clamp(min=0))
    return kinds_R.long(), subtypes_R.long()
