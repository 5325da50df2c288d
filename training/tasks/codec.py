"""The codec's task: portraits in, a folded VAE out, with its latent statistics measured before it is shipped."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from einops import rearrange
from torch import Tensor, nn

from engine.codec.folded_vae import FoldedVae, shifted_by_one
from engine.packs import save_weights
from training.data.portraits import PortraitSamples
from training.grown_weights import fill_grown
from training.loader import numbered_batches
from training.objectives.codec import CodecLossConfig, codec_loss
from training.parallel import World

HELD_OUT_IDENTITY = 5_000_000


@dataclass(kw_only=True)
class CodecTask:
    """Satisfies `training.trainer.Task`; `frozen` are the parts of the codec that stay what they are."""

    codec: FoldedVae
    loss_config: CodecLossConfig
    samples: PortraitSamples
    num_held_out: int = 24
    frozen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.frozen:
            self.codec.get_submodule(name).requires_grad_(False)
        self.codec.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def model(self) -> nn.Module:
        """The whole codec; what is frozen is left out by its `requires_grad`."""
        return self.codec

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """Every kernel is a matrix to Muon."""
        return ()

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """Portraits from sample `first_sample` on."""
        return numbered_batches(self.samples, first_sample, batch_samples, world, num_workers)

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Reconstruction through a sampled posterior."""
        pixels_BTCHW = to_pixels(batch["pixels_THWC"])
        mean_BFCHW, log_variance_BFCHW = self.codec.posterior(pixels_BTCHW)
        noise_BFCHW = torch.randn(mean_BFCHW.shape, generator=generator)
        latents_BFCHW = mean_BFCHW + (0.5 * log_variance_BFCHW).exp() * noise_BFCHW
        previous_BFCHW = shifted_by_one(latents_BFCHW, latents_BFCHW[:, 0])
        predicted_BTCHW = self.codec.reconstruct(latents_BFCHW, previous_BFCHW)
        return codec_loss(
            self.loss_config,
            predicted_BTCHW,
            pixels_BTCHW,
            batch["focus_THW"].float(),
            (mean_BFCHW, log_variance_BFCHW),
        )

    def measure(self) -> dict[str, float]:
        """PSNR overall and inside mouth and eye boxes, on held-out identities; latents that change have their statistics refreshed."""
        batch = self._held_out()
        if "encoder" not in self.frozen:
            self.refresh_latent_statistics(batch["pixels_THWC"])
        pixels_BTCHW = to_pixels(batch["pixels_THWC"])
        decoded_BTCHW = self.codec.decode(self.codec.encode(pixels_BTCHW)).clamp(-1, 1)
        error_BTHW = (decoded_BTCHW - pixels_BTCHW).square().mean(dim=2)
        inside = error_BTHW[batch["focus_THW"]].mean()
        return {"held_out_psnr_db": to_psnr_db(error_BTHW.mean()), "held_out_focus_psnr_db": to_psnr_db(inside)}

    def refresh_latent_statistics(self, pixels_BTHWC: Tensor) -> None:
        """Sets the buffers by which latents come out with zero mean and unit deviation."""
        mean_BFCHW, _ = self.codec.posterior(to_pixels(pixels_BTHWC))
        self.codec.get_buffer("latent_mean").copy_(mean_BFCHW.mean(dim=(0, 1, 3, 4)))
        self.codec.get_buffer("latent_std").copy_(mean_BFCHW.std(dim=(0, 1, 3, 4)).clamp(min=1e-3))

    def write_samples(self, folder: Path, step: int) -> None:
        """Truth above, decoded below."""
        pixels_BTCHW = to_pixels(self._held_out()["pixels_THWC"][:8])
        decoded_BTCHW = self.codec.decode(self.codec.encode(pixels_BTCHW)).clamp(-1, 1)
        both = torch.stack([pixels_BTCHW[:, 5], decoded_BTCHW[:, 5].float()])
        sheet = rearrange((both + 1) * 127.5, "row b c h w -> (row h) (b w) c").byte().numpy()
        cv2.imwrite(str(folder / f"sample-{step:06d}.png"), sheet[:, :, ::-1])

    def export(self, folder: Path) -> None:
        """`codec.safetensors` in `folder`."""
        save_weights(folder / "codec.safetensors", self.codec)

    def start_from(self, folder: Path) -> None:
        """Another run's or a pack's codec, which may know fewer channels."""
        fill_grown(folder / "codec.safetensors", self.codec)

    def _held_out(self) -> dict[str, Tensor]:
        make = PortraitSamples(
            size_px=self.samples.size_px, num_frames=8, first_identity=HELD_OUT_IDENTITY, still_share=0.0
        )
        samples = [make(number) for number in range(self.num_held_out)]
        return {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}


def to_pixels(pixels_BTHWC: Tensor) -> Tensor:
    """uint8 [..., T, H, W, 3] to float32 [..., T, 3, H, W] in [-1, 1]."""
    return rearrange(pixels_BTHWC, "... t h w c -> ... t c h w").float() / 127.5 - 1.0


def to_psnr_db(squared_error: Tensor) -> float:
    """Of pixels in [-1, 1], whose peak-to-peak is 2."""
    return float(10 * torch.log10(4.0 / squared_error))
