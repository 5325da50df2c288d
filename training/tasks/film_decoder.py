"""The decoder on the base model's own latents: it learns to draw what was meant.

A decoder that has only ever seen latents of real films draws the base's small errors large: off colours where a mouth moves.
Here it decodes windows that the frozen base has just made, beside true latents, and is held to the actor's frames, which are
drawn again from the clips' states. The encoder stays as it is, so the latents mean what they meant.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor, nn

from training.actor.draw import draw_film
from training.actor.keypoints import eye_box, mouth_box
from training.data.clips import clip_identity
from training.data.portraits import boxes_mask
from training.data.windows import cut_window, place_of
from training.objectives.codec import codec_loss
from training.parallel import World
from training.tasks.base_model import BaseModelTask, Made
from training.tasks.codec import CodecTask, to_pixels


@dataclass(kw_only=True)
class FilmDecoderTask:
    """Satisfies `training.trainer.Task`. Half of each batch are the base's own latents, half true ones.

    The base's are guided, as films are: by a scale between 1 and `most_guidance`, the same for text and both sounds.
    """

    base_task: BaseModelTask
    codec_task: CodecTask
    size_px: int
    most_guidance: float = 2.0

    def __post_init__(self) -> None:
        self.base_task.model.requires_grad_(False).eval()

    @property
    def model(self) -> nn.Module:
        """The codec, of which the decoder is trained."""
        return self.codec_task.model

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """As in the codec's task."""
        return self.codec_task.adamw_names

    @property
    def carried(self) -> dict[str, Tensor]:
        """What the base made last, to begin with."""
        return self.base_task.carried

    @carried.setter
    def carried(self, carried: dict[str, Tensor]) -> None:
        self.base_task.carried = carried

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """The base's windows with their frames, drawn from the states of their clips."""
        for batch in self.base_task.batches(first_sample, batch_samples, world, num_workers):
            drawn = [
                draw_window(int(clip), state_TK.numpy(), self.size_px)
                for clip, state_TK in zip(batch["clip"], batch["state_TK"], strict=True)
            ]
            pixels, focus = zip(*drawn, strict=True)
            yield {**batch, "pixels_THWC": torch.stack(pixels), "focus_THW": torch.stack(focus)}

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Reconstruction of the frames from what the base made of the first half of the windows, and from the second's truth."""
        pixels_BTHWC, focus_BTHW = batch.pop("pixels_THWC"), batch.pop("focus_THW")
        made = self._guided(batch, generator)
        is_made_B = made.is_own_B & (torch.arange(len(made.is_own_B)) % 2 == 0)
        latents_BFCHW = torch.where(is_made_B[:, None, None, None, None], made.film_BFCHW, batch["latents_FCHW"])
        codec = self.codec_task.codec
        pixels_BTCHW = codec.decode(latents_BFCHW)
        new = slice(codec.frames_per_latent, None)  # history is there to be seen, not to be drawn
        no_moments = (torch.zeros(1), torch.zeros(1))
        losses = codec_loss(
            self.codec_task.loss_config,
            pixels_BTCHW[:, new],
            to_pixels(pixels_BTHWC)[:, new],
            focus_BTHW[:, new].float(),
            no_moments,
        )
        return {name: value for name, value in losses.items() if name != "kl"}

    @torch.no_grad()
    def _guided(self, batch: dict[str, Tensor], generator: torch.Generator) -> Made:
        """What the base makes of the windows, moved on from what it makes of them told nothing."""
        begun = self.base_task.begun(batch)
        untold = {**begun, **{name: torch.zeros_like(batch[name]) for name in ("text_SD", "speak_AD", "listen_AD")}}
        scale_B1111 = 1 + (self.most_guidance - 1) * torch.rand(len(batch["history"]), 1, 1, 1, 1, generator=generator)
        from_nothing = self.base_task.make_of(untold, generator)
        told = self.base_task.make_of(begun, generator)
        guided = replace(told, film_BFCHW=torch.lerp(from_nothing.film_BFCHW, told.film_BFCHW, scale_B1111))
        self.base_task.remember(guided)
        return guided

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """As in the codec's task, on true latents; the latents' statistics stay as they are."""
        codec = self.codec_task.codec
        kept = {name: codec.get_buffer(name).clone() for name in ("latent_mean", "latent_std")}
        measures = self.codec_task.measure()
        for name, buffer in kept.items():
            codec.get_buffer(name).copy_(buffer)
        return measures

    @torch.no_grad()
    def write_samples(self, folder: Path, step: int) -> None:
        """Frames drawn by the actor above, and below them what the decoder draws of the base's own windows."""
        task = self.base_task
        places = [place_of(task.held_out, task.window, number, 6) for number in range(6)]
        samples = [cut_window(task.held_out, task.window, number, place) for number, place in enumerate(places)]
        batch = {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}
        made_BTCHW = self.codec_task.codec.decode(task.perform(batch)).float().clamp(-1, 1)
        rows = []
        for clip, state_TK, made_TCHW in zip(batch["clip"], batch["state_TK"], made_BTCHW, strict=True):
            true_THWC = draw_window(int(clip), state_TK.numpy(), self.size_px)[0]
            drawn_THWC = rearrange((made_TCHW + 1) * 127.5, "t c h w -> t h w c").byte()
            rows += [rearrange(film[1::3], "t h w c -> h (t w) c") for film in (true_THWC, drawn_THWC)]
        cv2.imwrite(str(folder / f"sample-{step:06d}.png"), torch.cat(rows).numpy()[:, :, ::-1])

    def export(self, folder: Path) -> None:
        """`codec.safetensors` in `folder`."""
        self.codec_task.export(folder)

    def start_from(self, folder: Path) -> None:
        """Another run's or a pack's codec; the base comes with the recipe's parts."""
        self.codec_task.start_from(folder)


def draw_window(clip: int, state_TK: NDArray[np.float32], size_px: int) -> tuple[Tensor, Tensor]:
    """Frames [T, H, W, 3] of a clip's character in these states, and where mouth and eyes are, [T, H, W], true inside."""
    identity = clip_identity(clip)
    frames_THWC = draw_film(identity, state_TK, size_px)
    masks = [boxes_mask((mouth_box(identity, state_K), eye_box(identity, state_K)), size_px) for state_K in state_TK]
    return torch.from_numpy(frames_THWC), torch.from_numpy(np.stack(masks))
