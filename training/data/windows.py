"""Windows of clips as batches for the base model, cut from shards held in memory.

Which clip, where it is cut, how much of it is history and which conditions are dropped follows from the sample's number
alone. For some steps on end each window of a batch follows on the one before it in the same place of the batch, so that a
trainer can hand it the model's own last latent as history: a film's errors, met in training. Called by the base model's task.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.references import ReferenceKind
from training.actor.state import EXPRESSION_CHANNELS, EXPRESSIONS, channel
from training.data.clips import REFERENCE_NAMES
from training.data.motion_rows import motion_rows
from training.parallel import World

LISTEN_HISTORY_ROWS = 2  # heard before a window's first latent, as the tiny preset listens
LEAST_EXPRESSION = 0.25  # of its greatest strength: less is no expression that a film stays near


@dataclass(frozen=True, kw_only=True)
class WindowConfig:
    """How a training window looks. Shares are of samples; latents are counted in latent frames."""

    num_latents: int = 4
    max_history_latents: int = 1
    no_history_share: float = 0.0
    altered_share: float = 0.35  # history has another expression yet: a film's portrait, or the prompt before this one
    rollout_windows: int = 4  # how many steps on end a place of the batch stays with its clip
    own_history_share: float = 0.6  # of windows that follow on another: their history is what the model made of it
    portrait_share: float = (
        0.0  # history is the global picture, as where a film begins: all of a pose is drawn from it at once
    )
    text_drop_share: float = 0.1
    speak_drop_share: float = 0.1
    listen_drop_share: float = 0.1
    motion_drop_share: float = 1.0  # of models that are told the motion of what they draw; the others are never told
    motion_noise: float = (
        0.05  # on motion that is told, in units of its spread: a plan is never quite like a performance
    )
    extra_references_share: float = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.max_history_latents < self.num_latents:
            raise ValueError("a window needs room for history and for something new")

    @property
    def can_follow(self) -> bool:
        """Whether one latent of history, the model's own, is all that a window needs."""
        return self.max_history_latents == 1


@dataclass(frozen=True, kw_only=True)
class ClipFeatures:
    """The clips of all shards in memory, sound and captions already encoded by the frozen encoders (float16)."""

    clips: dict[str, Tensor]
    speak_NAD: Tensor  # one row a latent, from the lead's end on
    listen_NAD: Tensor  # one row a latent, from the lead's end minus the history on
    text_NCLD: Tensor
    posed_NAFCHW: Tensor | None = None  # the anchors in the pose of each latent, where the model is shown them

    @property
    def num_clips(self) -> int:
        """Clips to cut windows from."""
        return len(self.speak_NAD)


@dataclass(frozen=True, kw_only=True)
class WindowPlace:
    """Where a window is cut. `altered` is the altered start that its history comes from; `follows` is whether it goes on from
    the window that the same place of the batch held one step earlier."""

    clip: int
    start: int
    altered: int | None = None
    follows: bool = False


def window_batches(
    features: ClipFeatures, config: WindowConfig, first_sample: int, batch_samples: int, world: World
) -> Iterator[dict[str, Tensor]]:
    """Batches of windows from sample `first_sample` on; a batch has extra references in all of its samples or in none.

    A run of steps in which windows follow on each other begins at every `rollout_windows`-th step.
    """
    step_samples = batch_samples * world.size
    number = first_sample
    while True:
        has_extra = np.random.default_rng([number, 9]).random() < config.extra_references_share
        samples = [
            cut_window(features, config, sample, place_of(features, config, sample, step_samples))
            for sample in range(number + world.rank, number + step_samples, world.size)
        ]
        batch = {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}
        if not has_extra:
            batch |= {name: batch[name][:, :1] for name in ("references_RCHW", "kinds_R", "subtypes_R")}
            batch["anchor"] = torch.zeros_like(batch["anchor"])
        yield batch
        number += step_samples


def place_of(features: ClipFeatures, config: WindowConfig, number: int, step_samples: int) -> WindowPlace:
    """Where sample `number` is cut when a step takes `step_samples`: from the beginning of its run of steps to it."""
    step, slot = divmod(number, step_samples)
    first_step = step - step % config.rollout_windows if config.can_follow else step
    place = _fresh_place(features, config, first_step * step_samples + slot, config.rollout_windows)
    for each in range(first_step + 1, step + 1):
        start = place.start + config.num_latents - 1
        if start < _num_starts(features, config):
            place = WindowPlace(clip=place.clip, start=start, follows=True)
        else:
            windows_left = config.rollout_windows - (each - first_step)
            place = _fresh_place(features, config, each * step_samples + slot, windows_left)
    return place


def _num_starts(features: ClipFeatures, config: WindowConfig) -> int:
    return features.clips["latents_FCHW"].shape[1] - config.num_latents  # the margin of sound behind it must exist


def _fresh_place(features: ClipFeatures, config: WindowConfig, number: int, windows_left: int) -> WindowPlace:
    """Where sample `number` begins anew: early enough in its clip for the windows left of its run, if the clip is long enough."""
    rng = np.random.default_rng([number, 5])
    clip = int(rng.integers(features.num_clips))
    if config.can_follow and rng.random() < config.altered_share:
        starts_N = features.clips["altered_starts_N"][clip]
        altered = int(rng.integers(len(starts_N)))
        return WindowPlace(clip=clip, start=int(starts_N[altered]), altered=altered)
    needed = (windows_left - 1) * (config.num_latents - 1) if config.can_follow else 0
    return WindowPlace(clip=clip, start=int(rng.integers(max(_num_starts(features, config) - needed, 1))))


def cut_window(features: ClipFeatures, config: WindowConfig, number: int, place: WindowPlace) -> dict[str, Tensor]:
    """Window `number`: latents with `history` clean ones in front, references, features and truth.

    `own_history` says that the first latent is to be replaced by the model's own, where it has just made it.
    """
    rng = np.random.default_rng([number, 6])
    clip, start, length = place.clip, place.start, config.num_latents
    fields = {name: tensor[clip] for name, tensor in features.clips.items()}
    window = slice(start, start + length)
    latents_FCHW = fields["latents_FCHW"][window].float()
    has_history = place.altered is not None or rng.random() >= config.no_history_share
    history = int(rng.integers(1, config.max_history_latents + 1)) if has_history else 0
    begins_with_still = place.altered is None and start == 0 and history == 1
    if place.altered is not None:
        latents_FCHW = torch.cat([fields["altered_NCHW"][place.altered][None].float(), latents_FCHW[1:]])
    elif begins_with_still:  # a first frame of one's own stands before the film
        latents_FCHW = torch.cat([fields["first_CHW"][None].float(), latents_FCHW[1:]])
    text_index = int(fields["text_of_latent_F"][start + (history + length) // 2])
    conditions = {
        "text_SD": features.text_NCLD[clip, text_index].float(),
        "speak_AD": features.speak_NAD[clip, start : start + length].float(),
        "listen_AD": features.listen_NAD[clip, start : start + length + LISTEN_HISTORY_ROWS].float(),
    }
    drops = (config.text_drop_share, config.speak_drop_share, config.listen_drop_share)
    conditions = some_dropped(conditions, drops, rng)
    state_TK = fields["state_TK"][start * 4 : (start + length) * 4].float()
    motion_FM = motion_rows(state_TK)
    motion_FM += config.motion_noise * torch.from_numpy(rng.standard_normal(motion_FM.shape, np.float32))
    if rng.random() < config.motion_drop_share:
        motion_FM = torch.zeros_like(motion_FM)
    elif begins_with_still or place.altered is not None:  # nobody planned what led to a still
        motion_FM[0] = 0.0
    shown = shown_references(fields["reference_indices_R"], state_TK[4 * history :], rng)
    goes_on = place.follows and rng.random() < config.own_history_share
    begins_with_portrait = history == 1 and rng.random() < config.portrait_share
    if begins_with_portrait:
        latents_FCHW = torch.cat([fields["references_RCHW"][:1].float(), latents_FCHW[1:]])
        motion_FM[0], goes_on = 0.0, False
    own_anchor_1CHW = latents_FCHW[:1] if begins_with_still or begins_with_portrait else None
    return {
        **conditions,
        "clip": fields["number"],
        "latents_FCHW": latents_FCHW,
        "history": torch.tensor(history),
        "own_history": torch.tensor(goes_on),
        **shown.fields(fields["references_RCHW"]),
        "state_TK": state_TK,
        "motion_FM": motion_FM,
        **posed_anchors(features, place, shown, motion_FM, own_anchor_1CHW),
        "mouth_FHW": fields["mouth_FHW"][window].float(),
        "eyes_FHW": fields["eyes_FHW"][window].float(),
    }


def posed_anchors(
    features: ClipFeatures,
    place: WindowPlace,
    shown: "ShownReferences",
    motion_FM: Tensor,
    own_anchor_1CHW: Tensor | None,
) -> dict[str, Tensor]:
    """A window's field of anchors in pose, where clips have them; at rest in a window that is told no motion.

    `own_anchor_1CHW` is what stands before a film: nobody planned its pose, so it is an anchor of its own.
    """
    if features.posed_NAFCHW is None:
        return {}
    posed_AFCHW = features.posed_NAFCHW[place.clip, :, place.start : place.start + len(motion_FM)].float()
    if not motion_FM[1:].any():
        references_RCHW = features.clips["references_RCHW"][place.clip]
        at_rest_A1CHW = references_RCHW[[shown.places[0], shown.places[-1]]][:, None].float()
        posed_AFCHW = at_rest_A1CHW.expand_as(posed_AFCHW)
    if own_anchor_1CHW is not None:
        posed_AFCHW = torch.cat([own_anchor_1CHW.expand_as(posed_AFCHW[:, :1]), posed_AFCHW[:, 1:]], dim=1)
    return {"posed_AFCHW": posed_AFCHW}


def some_dropped(
    conditions: dict[str, Tensor], shares: tuple[float, ...], rng: np.random.Generator
) -> dict[str, Tensor]:
    """The conditions, each left out (zeros) with its chance: what guidance will ask a model for."""
    return {
        name: torch.zeros_like(rows) if rng.random() < share else rows
        for (name, rows), share in zip(conditions.items(), shares, strict=True)
    }


@dataclass(frozen=True, kw_only=True)
class ShownReferences:
    """The references that a window is shown, as a pack of few is in a film (`engine.directed_references`): the global one and one
    more. `places` are into the clip's references, `indices` into `REFERENCE_NAMES`; `anchor` is which of the two the film stays near."""

    places: tuple[int, ...]
    indices: tuple[int, ...]
    anchor: int

    def fields(self, references_RCHW: Tensor) -> dict[str, Tensor]:
        """A sample's fields, from all references of its clip."""
        kinds_R, subtypes_R = reference_numbers(torch.tensor(self.indices))
        return {
            "references_RCHW": references_RCHW[list(self.places)].float(),
            "kinds_R": kinds_R,
            "subtypes_R": subtypes_R,
            "anchor": torch.tensor(self.anchor),
        }


def shown_references(indices_R: Tensor, state_TK: Tensor, rng: np.random.Generator) -> ShownReferences:
    """The global reference and that of the expression that these frames show, if the clip has it; else any other."""
    indices = [int(index) for index in indices_R]
    if len(indices) == 1:  # a person's clips have the global one alone, and nobody knows what their frames show
        return ShownReferences(places=(0,), indices=(indices[0],), anchor=0)
    place, anchor = int(rng.integers(1, len(indices))), 0
    shares_E = state_TK[:, [channel(name) for name in EXPRESSION_CHANNELS]].mean(dim=0)[1:]
    wanted = REFERENCE_NAMES.index(f"expression_{EXPRESSIONS[1 + int(shares_E.argmax())]}")
    if float(shares_E.max()) > LEAST_EXPRESSION and wanted in indices:
        place, anchor = indices.index(wanted), 1
    return ShownReferences(places=(0, place), indices=(indices[0], indices[place]), anchor=anchor)


def reference_numbers(indices_R: Tensor) -> tuple[Tensor, Tensor]:
    """Kinds and subtypes of references given by their index in `REFERENCE_NAMES`: global, four views, eight expressions."""
    first_expression = next(i for i, name in enumerate(REFERENCE_NAMES) if name.startswith("expression_"))
    is_expression_R, is_view_R = indices_R >= first_expression, (indices_R > 0) & (indices_R < first_expression)
    kinds_R = int(ReferenceKind.VIEW) * is_view_R + int(ReferenceKind.EXPRESSION) * is_expression_R
    subtypes_R = torch.where(is_expression_R, indices_R - first_expression, (indices_R - 1).clamp(min=0))
    return kinds_R.long(), subtypes_R.long()
