"""What one forward is asked to do: how many latents of which size, with how much film and how many pictures to look at.

Called by the figures beside it and by `lpm models info`. All token counts come from `engine.shapes.VideoGeometry`.
"""

import re
from dataclasses import dataclass
from typing import Final

from engine.errors import BadInputError
from engine.model_config import DitConfig
from engine.shapes import VideoGeometry

NAMED_SIZES_PX: Final = {"480p": (832, 480), "720p": (1280, 720)}
"""The two resolutions of the paper, lying; turned by writing the numbers the other way round (480x832)."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A chunk of `chunk_latents` that attends to `context_chunks` chunks, itself included (paper 4.4), and to references.

    With a context of one chunk nothing is cached and the references are computed along with it, as the base model does.
    With more, the chunks before it and the references stand in the cache as keys and values.
    """

    geometry: VideoGeometry
    context_chunks: int = 5
    num_references: int = 0
    text_rows: int = 512

    def __post_init__(self) -> None:
        """Refuse a forward over nothing."""
        if self.context_chunks < 1:
            raise BadInputError(f"a context is at least the chunk itself, not {self.context_chunks} chunks")
        if self.num_references < 0 or self.text_rows < 0:
            raise BadInputError(
                f"{self.num_references} references and {self.text_rows} rows of text: neither is below 0"
            )

    @property
    def is_cached(self) -> bool:
        """Whether a chunk finds earlier chunks and the references in a cache."""
        return self.context_chunks > 1

    @property
    def reference_tokens(self) -> int:
        """Tokens of all references, pictures of the film's size."""
        return self.num_references * self.geometry.tokens_per_latent

    @property
    def context_tokens(self) -> int:
        """Video tokens that are attended to, the chunk's own among them."""
        return self.context_chunks * self.geometry.tokens_per_chunk

    @property
    def computed_tokens(self) -> int:
        """Tokens that pass through the blocks."""
        return self.geometry.tokens_per_chunk + (0 if self.is_cached else self.reference_tokens)

    @property
    def key_tokens(self) -> int:
        """Tokens that self-attention looks at."""
        return self.context_tokens + self.reference_tokens


def workload_for(
    config: DitConfig,
    spatial_stride_px: int,
    size_px: tuple[int, int],
    *,
    chunk_latents: int = 6,
    frames_per_latent: int = 4,
    context_chunks: int = 5,
    num_references: int = 0,
    text_rows: int = 512,
) -> Workload:
    """The work of a chunk at `size_px` = (width, height); `BadInputError` for sizes that patches do not tile."""
    width_px, height_px = size_px
    if chunk_latents < 1:
        raise BadInputError(f"a chunk has at least one latent frame, not {chunk_latents}")
    step_rows_px, step_columns_px = (spatial_stride_px * side for side in config.patch_size[1:])
    if min(size_px) < 1 or width_px % step_columns_px or height_px % step_rows_px:
        near = tuple(
            max(1, round(side / step)) * step for side, step in ((width_px, step_columns_px), (height_px, step_rows_px))
        )
        raise BadInputError(
            f"{width_px}x{height_px} does not divide into patches of {step_columns_px}x{step_rows_px} pixels; "
            f"the nearest size that does is {near[0]}x{near[1]}"
        )
    geometry = VideoGeometry(
        height_px=height_px,
        width_px=width_px,
        spatial_stride_px=spatial_stride_px,
        frames_per_latent=frames_per_latent,
        chunk_frames=chunk_latents * frames_per_latent,
        patch_rows=config.patch_size[1],
        patch_columns=config.patch_size[2],
    )
    return Workload(
        geometry=geometry, context_chunks=context_chunks, num_references=num_references, text_rows=text_rows
    )


def size_named(text: str) -> tuple[int, int]:
    """Width and height in pixels of `832x480`, `480p` or `720p`; `BadInputError` for anything else."""
    if text in NAMED_SIZES_PX:
        return NAMED_SIZES_PX[text]
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text)
    if match is None:
        raise BadInputError(f"{text!r} is no size; write width x height as 832x480, or {' or '.join(NAMED_SIZES_PX)}")
    return int(match[1]), int(match[2])
