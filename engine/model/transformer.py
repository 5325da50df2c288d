"""The diffusion transformer of LPM: Wan2.1's mathematics plus references, speak audio and listen audio. Start here.

Called by the solver in `perform` and by the trainers, through `forward` for whole sequences, and by `engine.online` through
`forward_chunk` for streams, where a chunk attends to itself, to earlier chunks and to references (paper 4.2). It must not
know noise schedules, codecs, guidance, caches or where its conditions come from. One class serves all presets
(`engine.model_config`).
"""

import math
from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn import functional

from engine.model.block import Block, LayerConditions
from engine.model.chunk import ChunkContext, ChunkInputs, ChunkOutput, KeysValues, ReferenceContext
from engine.model.cross_attention import WindowIndex, window_index
from engine.model.embeddings import (
    Head,
    MotionEmbedding,
    PosedEmbedding,
    audio_embedding,
    patchify,
    sinusoid,
    text_embedding,
    time_embedding,
    time_projection,
    unpatchify,
)
from engine.model.linear import Linear
from engine.model.rotary import Rotation, grid_angles, rotation_of
from engine.model_config import AudioWindow, DitConfig
from engine.references import ReferenceLatents, reference_times


@dataclass(frozen=True, kw_only=True)
class DitInputs:
    """Everything one forward is told.

    latents_BFCHW: clean history or first frame, then noisy latents, in one sequence.
    timestep_BF: on the 0..1000 scale, one per latent frame; 0 for clean frames.
    references: see `engine.references`; their timestep is always 0; their posed anchor is for models that are shown it.
    text_BSD: rows of the text encoder, padded with zero rows that are attended like all others (as Wan2.1 does).
    speak_BAD, listen_BAD: rows of the two audio encoders, `rows_per_latent` a latent frame; all-zero rows are "no such
        sound". Rows before the first latent may come along: `speak_start_row` = -8 says that row 0 is 8 rows before it.
    motion_BFM: how the character moves within each latent, for models that are told (`engine.motion`); None or a row of
        zeros is "not told".
    """

    latents_BFCHW: Tensor
    timestep_BF: Tensor
    references: ReferenceLatents
    text_BSD: Tensor
    speak_BAD: Tensor
    listen_BAD: Tensor
    speak_start_row: int = 0
    listen_start_row: int = 0
    motion_BFM: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class AddedMotion:
    """What the motion of each latent adds to its time embedding and to its tokens, [B, F, D] both."""

    time_BFD: Tensor
    token_BFD: Tensor


class Transformer(nn.Module):
    """DiT with AdaLN, QK RMSNorm, 3D RoPE, reference tokens, text and interleaved dual audio (paper 3.1)."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.config = config
        patch_values = math.prod(config.patch_size)
        self.patch_embedding = Linear(config.in_channels * patch_values, config.dim)
        self.time_embedding = time_embedding(config)
        self.time_projection = time_projection(config)
        self.text_embedding = text_embedding(config)
        self.speak_embedding = audio_embedding(config.speak_dim, config)
        self.listen_embedding = audio_embedding(config.listen_dim, config)
        self.motion_embedding = MotionEmbedding(config) if config.motion_dim else None
        self.posed_embedding = PosedEmbedding(config) if config.is_shown_posed_anchor else None
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.head = Head(config)
        self.init_weights()

    @torch.no_grad()
    def init_weights(self) -> None:
        """Wan2.1's start (Xavier, zero biases, zero head); audio values are zero (paper 3.2), as is what motion and a posed anchor add."""
        if self.patch_embedding.weight.is_meta:
            return  # nothing to fill; and asking torch to costs seconds of imports
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for embedding in (self.text_embedding, self.time_embedding):
            for module in embedding:
                if isinstance(module, nn.Linear):
                    nn.init.normal_(module.weight, std=0.02)
        for block in self.blocks:
            assert isinstance(block, Block)
            nn.init.zeros_(block.cross_attn.v_audio.weight)
        if self.motion_embedding is not None:
            nn.init.zeros_(self.motion_embedding.last.weight)
        if self.posed_embedding is not None:
            nn.init.zeros_(self.posed_embedding.patches.weight)
        nn.init.zeros_(self.head.head.weight)

    def forward(self, inputs: DitInputs) -> Tensor:
        """The network's output for every latent frame, float32 [B, F, C, H, W]; see `engine.flow.preconditioning`."""
        self._check(inputs)
        frames, rows, columns = self._grid(inputs.latents_BFCHW)
        motion = self._embed_motion(inputs.motion_BFM)
        video_BLD = self._embed_video(inputs.latents_BFCHW, motion, inputs.references.posed_BFCHW)
        references_BLD = self.patch_embedding(patchify(inputs.references.latents_BRCHW, self.config.patch_size))
        x_BLD = torch.cat([video_BLD, references_BLD], dim=1).float()

        time_BFD, time_BGMD = self._embed_time(inputs, rows * columns, motion)
        text_BSD = self.text_embedding(inputs.text_BSD)
        speak_BAD, listen_BAD = self.speak_embedding(inputs.speak_BAD), self.listen_embedding(inputs.listen_BAD)
        speak, listen = self._both_windows(inputs)
        rotation, allowed_BL = self._rotation(inputs, video_BLD.dtype), self._allowed(inputs, video_BLD.shape[1])

        for layer, block in enumerate(self.blocks):
            conditions = LayerConditions(
                text_BSD=text_BSD,
                audio_BAD=speak_BAD if layer % 2 == 0 else listen_BAD,
                windows=speak if layer % 2 == 0 else listen,
                time_BGMD=time_BGMD,
                rotation=rotation,
                allowed_BL=allowed_BL,
                num_video_tokens=video_BLD.shape[1],
            )
            x_BLD = block(x_BLD, conditions)

        patches_BLC = self.head(x_BLD[:, : video_BLD.shape[1]], time_BFD)
        return unpatchify(patches_BLC, self.config.patch_size, frames, rows).float()

    def forward_chunk(self, inputs: ChunkInputs, context: ChunkContext) -> ChunkOutput:
        """One chunk of a stream: its tokens attend to each other and to the context, never to what comes later (paper 4.2).

        With a context of all earlier chunks this equals the whole sequence under the block-causal mask. Nothing is changed
        in place, so it may be differentiated; the context is constant unless its tensors require gradients.
        """
        self._check_video(inputs)
        _check_posed(inputs.posed_BFCHW, inputs.latents_BFCHW)
        if len(context.layers) != len(self.blocks):
            raise ValueError(f"a context of {len(context.layers)} layers does not fit {len(self.blocks)} blocks")
        frames, rows, columns = self._grid(inputs.latents_BFCHW)
        motion = self._embed_motion(inputs.motion_BFM)
        tokens_BLD = self._embed_video(inputs.latents_BFCHW, motion, inputs.posed_BFCHW)
        time_BFD, time_BFMD = self._embed_timesteps(inputs.timestep_BF, motion)
        text_BSD = self.text_embedding(inputs.text_BSD)
        speak_BAD, listen_BAD = self.speak_embedding(inputs.speak_BAD), self.listen_embedding(inputs.listen_BAD)
        speak, listen = self._both_windows(inputs)
        times_F = context.first_time + torch.arange(frames, device=tokens_BLD.device)
        angles_BLK = grid_angles(times_F[None], rows, columns, self.config, inputs.grid_step)
        rotation = rotation_of(angles_BLK, tokens_BLD.dtype, tokens_BLD.device)

        x_BLD, layers = tokens_BLD.float(), []
        for layer, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            conditions = LayerConditions(
                text_BSD=text_BSD,
                audio_BAD=speak_BAD if layer % 2 == 0 else listen_BAD,
                windows=speak if layer % 2 == 0 else listen,
                time_BGMD=time_BFMD,
                rotation=rotation,
                allowed_BL=context.allowed_BS,
                num_video_tokens=x_BLD.shape[1],
            )
            x_BLD, own = block.forward_chunk(x_BLD, conditions, context.layers[layer])
            layers.append(own)
        patches_BLC = self.head(x_BLD, time_BFD.float())
        output_BFCHW = unpatchify(patches_BLC, self.config.patch_size, frames, rows).float()
        return ChunkOutput(output_BFCHW=output_BFCHW, layers=tuple(layers))

    def encode_references(self, references: ReferenceLatents) -> ReferenceContext:
        """References in every layer, once for a whole session.

        In `forward` references see the video. Here they see each other alone, at timestep 0, since whatever a chunk tells
        them would reach all later chunks and could not be kept once. Their RoPE time is their segment's, counted from the
        start of the window, so they never move.
        """
        batch, num_references = references.kinds_BR.shape
        _, rows, columns = self._grid(references.latents_BRCHW)
        tokens_BLD = self.patch_embedding(patchify(references.latents_BRCHW, self.config.patch_size))
        if not num_references:
            empty_BSNK = tokens_BLD.new_zeros(batch, 0, self.config.num_heads, self.config.head_dim)
            nothing = KeysValues(k_BSNK=empty_BSNK, v_BSNK=empty_BSNK)
            return ReferenceContext(layers=(nothing,) * len(self.blocks), allowed_BS=None)
        _, time_BRMD = self._embed_timesteps(tokens_BLD.new_zeros(batch, num_references, dtype=torch.float32))
        rotation = rotation_of(self._reference_angles(references), tokens_BLD.dtype, tokens_BLD.device)
        present_BR = references.present_BR
        allowed_BS = None if present_BR is None else repeat(present_BR, "b r -> b (r p)", p=rows * columns)
        # A sample without any reference attends among the absent ones instead of to nothing; nobody reads the result.
        among_BS = None if allowed_BS is None else allowed_BS | ~allowed_BS.any(dim=1, keepdim=True)

        x_BLD, layers = tokens_BLD.float(), []
        for block in self.blocks:
            assert isinstance(block, Block)
            x_BLD, own = block.forward_references(x_BLD, time_BRMD, rotation, among_BS)
            layers.append(own)
        return ReferenceContext(layers=tuple(layers), allowed_BS=allowed_BS)

    def _grid(self, latents_BFCHW: Tensor) -> tuple[int, int, int]:
        _, patch_rows, patch_columns = self.config.patch_size
        _, frames, _, height, width = latents_BFCHW.shape
        return frames, height // patch_rows, width // patch_columns

    def _embed_motion(self, motion_BFM: Tensor | None) -> AddedMotion | None:
        if motion_BFM is None or self.motion_embedding is None:
            return None
        time_BFD, token_BFD = self.motion_embedding(motion_BFM.to(self.patch_embedding.weight.dtype))
        return AddedMotion(time_BFD=time_BFD, token_BFD=token_BFD)

    def _embed_video(self, latents_BFCHW: Tensor, motion: AddedMotion | None, posed_BFCHW: Tensor | None) -> Tensor:
        video_BLD: Tensor = self.patch_embedding(patchify(latents_BFCHW, self.config.patch_size))
        if self.posed_embedding is not None and posed_BFCHW is not None:
            video_BLD = video_BLD + self.posed_embedding(posed_BFCHW).to(video_BLD.dtype)
        if motion is None:
            return video_BLD
        tokens_per_frame = video_BLD.shape[1] // latents_BFCHW.shape[1]
        return video_BLD + motion.token_BFD.repeat_interleave(tokens_per_frame, dim=1).to(video_BLD.dtype)

    def _embed_time(
        self, inputs: DitInputs, tokens_per_frame: int, motion: AddedMotion | None = None
    ) -> tuple[Tensor, Tensor]:
        """Time embedding per latent frame for the head, and per segment of the sequence for the blocks, in float32.

        All segments of a sequence are equally long. Where a reference has another grid than the video, the segment is
        their greatest common divisor and a frame spans several segments of the same timestep.
        """
        frames, references = inputs.timestep_BF.shape[1], inputs.references.latents_BRCHW.shape[1]
        _, reference_rows, reference_columns = self._grid(inputs.references.latents_BRCHW)
        tokens_per_reference = reference_rows * reference_columns if references else 0
        segment = math.gcd(tokens_per_frame, tokens_per_reference)
        clean_B1 = torch.zeros_like(inputs.timestep_BF[:, :1])
        timestep_BG = torch.cat([inputs.timestep_BF, clean_B1], dim=1)
        time_BGD, time_BGMD = self._embed_timesteps(timestep_BG, motion)
        video_BGMD = repeat(time_BGMD[:, :frames], "b f m d -> b (f s) m d", s=tokens_per_frame // segment)
        clean_BGMD = time_BGMD[:, frames:].expand(-1, references * tokens_per_reference // segment, -1, -1)
        return time_BGD[:, :frames].float(), torch.cat([video_BGMD, clean_BGMD], dim=1)

    def _embed_timesteps(self, timestep_BG: Tensor, motion: AddedMotion | None = None) -> tuple[Tensor, Tensor]:
        """Timesteps to the embedding that the head takes and the six vectors that the blocks take, whatever autocast says.

        The first of them are those of latents, and each latent's motion, where it is told, adds to its own.
        """
        sinusoid_BGK = sinusoid(timestep_BG, self.config.frequency_dim)
        with torch.autocast(device_type=timestep_BG.device.type, enabled=False):
            time_BGD = self.time_embedding(sinusoid_BGK.to(self.patch_embedding.weight.dtype).to(timestep_BG.device))
            if motion is not None:
                without = time_BGD.shape[1] - motion.time_BFD.shape[1]
                time_BGD = time_BGD + functional.pad(motion.time_BFD.to(time_BGD.dtype), (0, 0, 0, without))
            time_BGMD = rearrange(self.time_projection(time_BGD), "b g (m d) -> b g m d", m=6).float()
        return time_BGD, time_BGMD

    def _rotation(self, inputs: DitInputs, dtype: torch.dtype) -> Rotation:
        """Video frames at their index in the window, references on their segment (Eq. 4), each on its own grid."""
        batch, references = inputs.references.kinds_BR.shape
        frames, rows, columns = self._grid(inputs.latents_BFCHW)
        times_BF = torch.arange(frames, device=inputs.latents_BFCHW.device).expand(batch, -1)
        angles = [grid_angles(times_BF, rows, columns, self.config)]
        if references:
            angles.append(self._reference_angles(inputs.references))
        return rotation_of(torch.cat(angles, dim=1), dtype, inputs.latents_BFCHW.device)

    def _reference_angles(self, references: ReferenceLatents) -> Tensor:
        _, rows, columns = self._grid(references.latents_BRCHW)
        times_BR = reference_times(references.kinds_BR, references.subtypes_BR, self.config.reference_positions)
        return grid_angles(times_BR, rows, columns, self.config)

    def _allowed(self, inputs: DitInputs, num_video_tokens: int) -> Tensor | None:
        """Which tokens may be attended to: all video tokens and those of present references."""
        present_BR = inputs.references.present_BR
        if present_BR is None:
            return None
        _, rows, columns = self._grid(inputs.references.latents_BRCHW)
        video_BL = present_BR.new_ones(present_BR.shape[0], num_video_tokens)
        return torch.cat([video_BL, repeat(present_BR, "b r -> b (r p)", p=rows * columns)], dim=1)

    def _both_windows(self, inputs: DitInputs | ChunkInputs) -> tuple[WindowIndex, WindowIndex]:
        frames = inputs.latents_BFCHW.shape[1]
        speak = self._windows(self.config.speak_window, frames, inputs.speak_BAD, inputs.speak_start_row)
        listen = self._windows(self.config.listen_window, frames, inputs.listen_BAD, inputs.listen_start_row)
        return speak, listen

    def _windows(self, window: AudioWindow, frames: int, audio_BAD: Tensor, start_row: int) -> WindowIndex:
        num_rows = audio_BAD.shape[1]
        last_row = start_row + num_rows
        if num_rows == 0 or start_row >= window.rows_per_latent or last_row <= (frames - 1) * window.rows_per_latent:
            raise ValueError(
                f"{num_rows} audio rows from row {start_row} on do not reach all {frames} latent frames of "
                f"{window.rows_per_latent} rows each"
            )
        return window_index(window, frames, num_rows, start_row, audio_BAD.device)

    def _check(self, inputs: DitInputs) -> None:
        self._check_video(inputs)
        _check_posed(inputs.references.posed_BFCHW, inputs.latents_BFCHW)
        batch = inputs.latents_BFCHW.shape[0]
        if inputs.references.latents_BRCHW.shape[0] != batch:
            raise ValueError(f"references are for {inputs.references.latents_BRCHW.shape[0]} samples, not {batch}")

    def _check_video(self, inputs: DitInputs | ChunkInputs) -> None:
        batch, frames, channels, height, width = inputs.latents_BFCHW.shape
        _, patch_rows, patch_columns = self.config.patch_size
        if channels != self.config.in_channels or height % patch_rows or width % patch_columns:
            raise ValueError(
                f"latents {tuple(inputs.latents_BFCHW.shape)} do not fit {self.config.in_channels} channels in patches "
                f"of {patch_rows}x{patch_columns}"
            )
        if inputs.timestep_BF.shape != (batch, frames):
            raise ValueError(f"timestep_BF has shape {tuple(inputs.timestep_BF.shape)}, not {(batch, frames)}")
        motion_BFM, motion_shape = inputs.motion_BFM, (batch, frames, self.config.motion_dim)
        if motion_BFM is not None and motion_BFM.shape != motion_shape:
            raise ValueError(f"motion_BFM has shape {tuple(motion_BFM.shape)}, not {motion_shape}")
        widths = {"text": self.config.text_dim, "speak": self.config.speak_dim, "listen": self.config.listen_dim}
        given = {"text": inputs.text_BSD, "speak": inputs.speak_BAD, "listen": inputs.listen_BAD}
        for name, width_wanted in widths.items():
            if given[name].ndim != 3 or given[name].shape[0] != batch or given[name].shape[2] != width_wanted:
                raise ValueError(
                    f"{name} rows have shape {tuple(given[name].shape)}, not ({batch}, rows, {width_wanted})"
                )


def _check_posed(posed_BFCHW: Tensor | None, latents_BFCHW: Tensor) -> None:
    if posed_BFCHW is not None and posed_BFCHW.shape != latents_BFCHW.shape:
        shapes = tuple(posed_BFCHW.shape), tuple(latents_BFCHW.shape)
        raise ValueError(f"posed_BFCHW has shape {shapes[0]}, not that of the latents, {shapes[1]}")
