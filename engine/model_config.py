"""Configuration of the diffusion transformer and its presets.

Called by packs, trainers and tests. It must not know tensors; counting parameters lives in `engine.model.transformer`.
"""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, kw_only=True)
class AudioWindow:
    """The rows of one sound that a latent frame may hear (paper 3.1, temporally-aligned audio-video attention).

    A latent owns `rows_per_latent` rows; it also hears `rows_before` earlier and `rows_after` later ones.
    """

    rows_per_latent: int
    rows_before: int
    rows_after: int

    def __post_init__(self) -> None:
        """Refuse windows that cannot be attended."""
        if self.rows_per_latent < 1 or self.rows_before < 0 or self.rows_after < 0:
            raise ValueError(f"{self} must own at least one row and reach no negative distance")

    @property
    def num_rows(self) -> int:
        """Rows in the window of one latent frame."""
        return self.rows_before + self.rows_per_latent + self.rows_after


@dataclass(frozen=True, kw_only=True)
class ReferencePositions:
    """Where references stand on the time axis of RoPE (Eq. 4): `origin + o_i + so_j`.

    Eq. 4 starts from the temporal length of the video latent. Taken literally, a reference would move whenever a chunk
    is longer or shorter, and every cached key of a live session with it. So the length is a constant here, `origin`,
    counted from the start of the window and beyond the longest window that is ever trained.
    """

    origin: int = 32
    global_offset: int = 0
    view_offset: int = 4
    expression_offset: int = 8
    subtype_step: int = 1

    @property
    def type_offsets(self) -> tuple[int, int, int]:
        """Base offsets o_i in the order of `engine.references.ReferenceKind`."""
        return (self.global_offset, self.view_offset, self.expression_offset)


@dataclass(frozen=True, kw_only=True)
class DitConfig:
    """Sizes of one diffusion transformer; the mathematics is the same for every preset.

    `motion_dim` is the width of a latent's motion row, where the pack plans motion before it draws (`engine.motion`); 0 for none.
    `is_shown_posed_anchor` says that the model sees its anchor in the pose of each latent (`engine.posing`).
    """

    dim: int
    ffn_dim: int
    num_layers: int
    num_heads: int
    patch_size: tuple[int, int, int]
    in_channels: int
    out_channels: int
    text_dim: int
    speak_dim: int
    listen_dim: int
    motion_dim: int = 0
    is_shown_posed_anchor: bool = False
    frequency_dim: int = 256
    speak_window: AudioWindow = field(
        default_factory=lambda: AudioWindow(rows_per_latent=4, rows_before=2, rows_after=2)
    )
    listen_window: AudioWindow = field(
        default_factory=lambda: AudioWindow(rows_per_latent=2, rows_before=30, rows_after=2)
    )
    reference_positions: ReferencePositions = field(default_factory=ReferencePositions)
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-6

    def __post_init__(self) -> None:
        """Refuse sizes that do not divide."""
        if self.dim % self.num_heads or (self.dim // self.num_heads) % 2:
            raise ValueError(f"dim {self.dim} must give each of the {self.num_heads} heads an even width")
        if self.patch_size[0] != 1:
            raise ValueError(f"patch_size is {self.patch_size}; a patch must not span latent frames (first number 1)")
        if self.frequency_dim % 2:
            raise ValueError(f"frequency_dim is {self.frequency_dim}; it must be even")

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.dim // self.num_heads

    @property
    def rope_pairs(self) -> tuple[int, int, int]:
        """Rotated pairs of a head given to time, rows and columns: Wan's d - 4(d//6), 2(d//6), 2(d//6), halved."""
        sixth = self.head_dim // 6
        return (self.head_dim // 2 - 2 * sixth, sixth, sixth)

    def window_of_layer(self, layer: int) -> AudioWindow:
        """Even layers hear the character speak, odd layers hear the partner (Eqs. 1 and 2)."""
        return self.speak_window if layer % 2 == 0 else self.listen_window


TINY = DitConfig(
    dim=256,
    ffn_dim=1024,
    num_layers=8,
    num_heads=4,
    patch_size=(1, 1, 1),
    in_channels=64,
    out_channels=64,
    text_dim=256,
    speak_dim=256,
    listen_dim=256,
)
WAN_1_3B = DitConfig(
    dim=1536,
    ffn_dim=8960,
    num_layers=30,
    num_heads=12,
    patch_size=(1, 2, 2),
    in_channels=16,
    out_channels=16,
    text_dim=4096,
    speak_dim=768,
    listen_dim=768,
    reference_positions=ReferencePositions(origin=64),
)
LPM_17B = replace(WAN_1_3B, dim=5120, ffn_dim=13824, num_layers=40, num_heads=40)

DIT_PRESETS: dict[str, DitConfig] = {"tiny": TINY, "small": WAN_1_3B, "17b": LPM_17B}
CODEC_STRIDE_PX: dict[str, int] = {"tiny": 24, "small": 8, "17b": 8}
"""Pixels along one side of a latent position of the codec that goes with each preset."""


def dit_preset(name: str) -> DitConfig:
    """The preset of this name; `ValueError` names the known ones."""
    if name not in DIT_PRESETS:
        raise ValueError(f"there is no model preset {name!r}; known presets: {', '.join(DIT_PRESETS)}")
    return DIT_PRESETS[name]
