"""The colours of the studio by what they are for, once for dark and once for light rooms.

Called by the style sheet and by everything that paints itself. Text colours reach at least 4.5:1 on every surface here.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Colors:
    """One set of colours, as `#rrggbb`."""

    is_dark: bool
    window: str  # behind and between the panels
    panel: str
    raised: str  # buttons, cards, headers
    hover: str
    field: str  # where one types, and the tracks
    stage: str  # around the picture
    border: str  # between panels and rows, decoration only
    edge: str  # around fields and meters, what is empty of a groove: 3:1 at least against what is beside it
    edge_soft: str  # around buttons, chips and menus, whose words say where they are
    grid: str  # the frame grid
    grid_strong: str  # the chunk grid
    text: str
    text_soft: str
    placeholder: str  # what a field says while it is empty
    text_faint: str  # disabled, decoration only: 3:1 at least
    accent: str
    accent_hover: str
    on_accent: str
    selection: str
    playhead: str
    speak: str
    listen: str
    prompt: str
    fresh: str
    stale: str
    error: str


DARK: Final = Colors(
    is_dark=True,
    window="#131417",
    panel="#1b1d21",
    raised="#282b31",
    hover="#32363d",
    field="#121316",
    stage="#0c0d0f",
    border="#2c2f36",
    edge="#696f7b",
    edge_soft="#444953",
    grid="#1d1f24",
    grid_strong="#2d3038",
    text="#e7e8eb",
    text_soft="#a8adb8",
    placeholder="#8b919d",
    text_faint="#757b87",
    accent="#5b8def",
    accent_hover="#739ff5",
    on_accent="#0b1220",
    selection="#2b3f66",
    playhead="#ff6d5a",
    speak="#f0b057",
    listen="#46c2ae",
    prompt="#a793ff",
    fresh="#58b368",
    stale="#e0a33c",
    error="#ff8177",
)

LIGHT: Final = Colors(
    is_dark=False,
    window="#e3e5e9",
    panel="#f6f7f9",
    raised="#ffffff",
    hover="#e9ecf1",
    field="#ffffff",
    stage="#d3d6dc",
    border="#cdd1d8",
    edge="#7c828e",
    edge_soft="#b4bac5",
    grid="#f0f1f4",
    grid_strong="#d9dce2",
    text="#1b1d22",
    text_soft="#555b67",
    placeholder="#6a7080",
    text_faint="#767c88",
    accent="#2a5fd0",
    accent_hover="#2050b8",
    on_accent="#ffffff",
    selection="#cfdcf8",
    playhead="#d93a26",
    speak="#a8650a",
    listen="#0d7d6c",
    prompt="#6246d8",
    fresh="#2c8740",
    stale="#a8650a",
    error="#b3261e",
)
