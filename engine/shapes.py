"""The legend of shape suffixes and the one place where derived numbers of a video are computed.

Called by everything in the engine, by the trainers and by the render plan. It must not know models, codecs or files.

Shape suffixes (`latents_BFCHW`, `q_BLNK`), in the order of the axes:

    B  batch                    F  latent frames            T  picture frames
    C  channels                 H  rows                     W  columns (in sound: rows of one window)
    L  query tokens             S  key tokens, or samples of sound where the name ends in `_S`
    A  audio rows               D  model width              N  heads
    K  head width               R  references               P  tokens of one latent frame or of one segment
"""

from dataclasses import dataclass

FRAME_RATE_HZ = 24
SOUND_RATE_HZ = 24_000
PROMPT_FRAMES = 125  # how long a direction holds where nothing else is said (paper 3.3)


@dataclass(frozen=True, kw_only=True)
class VideoGeometry:
    """Sizes of picture, latent, token grid and chunk; every derived number is computed here and nowhere else."""

    height_px: int = 192
    width_px: int = 192
    spatial_stride_px: int = 24
    frames_per_latent: int = 4
    chunk_frames: int = 24
    patch_rows: int = 1
    patch_columns: int = 1

    def __post_init__(self) -> None:
        """Refuse sizes that do not divide: nothing is rounded silently."""
        row_step_px, column_step_px = (
            self.spatial_stride_px * self.patch_rows,
            self.spatial_stride_px * self.patch_columns,
        )
        if self.height_px <= 0 or self.height_px % row_step_px:
            raise ValueError(f"height_px is {self.height_px}; it must be a positive multiple of {row_step_px}")
        if self.width_px <= 0 or self.width_px % column_step_px:
            raise ValueError(f"width_px is {self.width_px}; it must be a positive multiple of {column_step_px}")
        if self.chunk_frames <= 0 or self.chunk_frames % self.frames_per_latent:
            raise ValueError(
                f"chunk_frames is {self.chunk_frames}; it must be a positive multiple of {self.frames_per_latent}"
            )

    @property
    def latent_rows(self) -> int:
        """Rows of one latent frame."""
        return self.height_px // self.spatial_stride_px

    @property
    def latent_columns(self) -> int:
        """Columns of one latent frame."""
        return self.width_px // self.spatial_stride_px

    @property
    def tokens_per_latent(self) -> int:
        """Tokens the transformer sees for one latent frame, or for one reference of the same size."""
        return (self.latent_rows // self.patch_rows) * (self.latent_columns // self.patch_columns)

    @property
    def latents_per_chunk(self) -> int:
        """Latent frames that are generated at once."""
        return self.chunk_frames // self.frames_per_latent

    @property
    def tokens_per_chunk(self) -> int:
        """Tokens of one chunk without history and references."""
        return self.latents_per_chunk * self.tokens_per_latent

    @property
    def samples_per_frame(self) -> int:
        """Samples of sound that belong to one picture frame."""
        return SOUND_RATE_HZ // FRAME_RATE_HZ

    @property
    def samples_per_latent(self) -> int:
        """Samples of sound that belong to one latent frame."""
        return self.samples_per_frame * self.frames_per_latent
