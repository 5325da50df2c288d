"""A job's conditions for one window: sound and text cut to it, encoded, and the character's references, encoded once."""

from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from engine.base.continuation import WindowPlan
from engine.base.job import PerformJob
from engine.characters import Character
from engine.encoders.audio import AudioEncoder
from engine.errors import CharacterError
from engine.loaded_pack import LoadedPack
from engine.media.pictures import square_crop
from engine.model_config import AudioWindow
from engine.references import ReferenceLatents


@dataclass(frozen=True, kw_only=True)
class WindowConditions:
    """What one window is told, batch of one. Rows start before the window by the margins of the transformer's windows."""

    text_BSD: Tensor
    speak_BAD: Tensor
    listen_BAD: Tensor


class JobConditions:
    """Encodes a job's references at once and its sound and text window by window, so that memory does not grow."""

    def __init__(self, pack: LoadedPack, job: PerformJob) -> None:
        self.pack, self.job = pack, job
        self.speak_S = as_track(job.speak_S)
        self.listen_S = as_track(job.listen_S)
        self.references = encode_references(pack, job.character)
        self._texts: dict[str, Tensor] = {}

    def window(self, plan: WindowPlan) -> WindowConditions:
        """The conditions of one window; its text is the one that holds in the middle of what it makes anew."""
        per_latent = self.pack.codec.frames_per_latent
        start_frame = plan.start * per_latent
        middle = (plan.start + plan.history + plan.start + plan.num_latents) * per_latent // 2
        text = self.job.prompt_at(min(max(middle, 0), self.job.num_frames - 1))
        if text not in self._texts:
            self._texts = {text: self._encode_text(text)}
        speak, listen = self.pack.transformer.config.speak_window, self.pack.transformer.config.listen_window
        speak_AD = rows_around(self.pack.speak_encoder, self.speak_S, start_frame, plan.num_latents, speak)
        listen_AD = rows_around(self.pack.listen_encoder, self.listen_S, start_frame, plan.num_latents, listen)
        return WindowConditions(text_BSD=self._texts[text], speak_BAD=speak_AD[None], listen_BAD=listen_AD[None])

    def _encode_text(self, text: str) -> Tensor:
        rows_BSD = self.pack.text_encoder.encode([text])
        return rows_BSD if text.strip() else torch.zeros_like(rows_BSD)  # no text is zeros, as in training


def rows_around(
    encoder: AudioEncoder, sound_S: Tensor, start_frame: int, num_latents: int, window: AudioWindow
) -> Tensor:
    """The rows [A, D] of one sound that `num_latents` latents from `start_frame` on may hear."""
    num_rows = window.rows_before + num_latents * window.rows_per_latent + window.rows_after
    return encoder.encode_rows(sound_S, start_frame - window.rows_before * encoder.config.frames_per_row, num_rows)


def as_track(sound_S: NDArray[np.float32] | None) -> Tensor:
    """A track as a tensor; None is an empty one, and beyond its end a track is silent."""
    return torch.zeros(0) if sound_S is None else torch.from_numpy(np.ascontiguousarray(sound_S, dtype=np.float32))


def as_pixels(picture_HWC: NDArray[np.uint8], size_px: int) -> Tensor:
    """A picture as pixels [1, 3, size, size] in [-1, 1]."""
    resized = square_crop(picture_HWC, size_px)
    return rearrange(torch.from_numpy(resized), "h w c -> 1 c h w").float() / 127.5 - 1.0


def encode_references(pack: LoadedPack, character: Character) -> ReferenceLatents:
    """A character's references as latents, as many as the pack takes; `CharacterError` without a global one."""
    names = [(str(reference.kind), reference.subtype) for reference in character.references]
    if ("global", "") not in [(kind, "" if kind == "global" else subtype) for kind, subtype in names]:
        raise CharacterError(f"{character.name} has no global reference picture; add one to its character.toml")
    kinds = ("global", "expression", "view")
    ordered = sorted(zip(names, character.references, strict=True), key=lambda pair: kinds.index(pair[0][0]))
    chosen = ordered[: pack.base.max_references]
    pixels_RCHW = torch.cat([as_pixels(reference.picture_HWC, pack.size_px) for _, reference in chosen])
    latents_RCHW = pack.codec.encode_still(pixels_RCHW).float()
    return ReferenceLatents.of_names(latents_RCHW, [name for name, _ in chosen])
