"""How large a pack's pictures are; read from `[settings.picture]` of the manifest."""

from dataclasses import dataclass
from typing import Final

from engine.packs import Manifest, build_config

TIMES_LARGER: Final = (1, 2, 4)


@dataclass(frozen=True, kw_only=True)
class PictureSettings:
    """`size_px` is the side of the pictures that the codec takes, `film_px` of films as they are shown, as many times as large as
    `TIMES_LARGER` says; 0 is as they are decoded."""

    size_px: int
    film_px: int = 0
    frames_per_second: int = 24

    def __post_init__(self) -> None:
        for name in ("size_px", "film_px"):
            if not isinstance(getattr(self, name), int):
                raise ValueError(f"{name} is {getattr(self, name)!r}, it must be a whole number")
        if self.size_px < 1:
            raise ValueError(f"size_px is {self.size_px}, it must be at least 1")
        if self.shown_px not in [times * self.size_px for times in TIMES_LARGER]:
            raise ValueError(f"film_px is {self.film_px}, it must be 1, 2 or 4 times {self.size_px}")

    @property
    def shown_px(self) -> int:
        """The side of films."""
        return self.film_px or self.size_px

    @classmethod
    def of(cls, manifest: Manifest, where: str) -> "PictureSettings":
        """Those of a pack; `BadPackError` where they make no sense."""
        return build_config(cls, manifest.settings.get("picture", {}), f"{where}: settings.picture")
