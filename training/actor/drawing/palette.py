"""The colours of the actor's world: hand-picked ramps and the arithmetic between them.

`training.actor.identity` picks from here, the drawing shades with it. Knows nothing of shapes or of the performance.
"""

from functools import lru_cache
from typing import Final

Colour = tuple[int, int, int]


def colour_of(code: str) -> Colour:
    """`#rrggbb` as an RGB triple."""
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """`first` with `share` of `second` mixed in."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


@lru_cache(maxsize=4096)
def shade(colour: Colour, strength: float) -> Colour:
    """The colour in shadow: darker, and a little towards violet so that it never turns to mud."""
    return blend(colour, (52, 24, 66), strength)


def deepen(colour: Colour, strength: float) -> Colour:
    """The same hue, darker."""
    return blend(colour, (26, 16, 20), strength)


@lru_cache(maxsize=4096)
def light(colour: Colour, strength: float) -> Colour:
    """The colour in light: towards a warm white."""
    return blend(colour, (255, 246, 230), strength)


def luminance(colour: Colour) -> float:
    """Perceived brightness, 0..1."""
    red, green, blue = colour
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255.0


def contrast(first: Colour, second: Colour) -> float:
    """How far apart two colours look, about 0..1: brightness counts most, hue helps."""
    difference = abs(luminance(first) - luminance(second))
    hue = sum(abs(a - b) for a, b in zip(first, second, strict=True)) / 765.0
    return 0.65 * difference + 0.35 * hue * 1.5


SKINS: Final = tuple(
    colour_of(code)
    for code in (
        "#fbdcc8",
        "#f8d0b4",
        "#f3c4a2",
        "#eeb78e",
        "#e5aa7c",
        "#d99a6c",
        "#c98859",
        "#b7754a",
        "#a1633d",
        "#8a5233",
        "#73422b",
        "#5c3526",
    )
)
HAIRS: Final = tuple(
    colour_of(code)
    for code in (
        "#2b2430",
        "#3a2a2c",
        "#4d3329",
        "#6b4228",
        "#8d5a31",
        "#b57a3d",
        "#dba755",
        "#f0cf83",
        "#b5512b",
        "#d6703a",
        "#8f2f2f",
        "#9a98a3",
        "#d8d6da",
        "#3f6f8f",
        "#c9678f",
        "#7a62a8",
        "#3b8a82",
    )
)
NUM_NATURAL_HAIRS: Final = 11
NUM_DYED_HAIRS: Final = 4
GREY_HAIRS: Final = (11, 12)
EYES: Final = tuple(
    colour_of(code) for code in ("#5a3824", "#7a4b25", "#9a6a2c", "#4f7f45", "#3f8a7a", "#3f7fb5", "#5b8fc9", "#6d7f92")
)
LIPS: Final = tuple(colour_of(code) for code in ("#c9605c", "#b84a55", "#d4726a", "#a8434a", "#c05a78"))
FRAMES: Final = tuple(colour_of(code) for code in ("#2f2a35", "#7a3b2e", "#26506b", "#8a2f4a", "#3d5a3f", "#c08a2e"))
METALS: Final = tuple(colour_of(code) for code in ("#f2c14e", "#dfe3ea", "#e2725b", "#4fb3a5"))

# Background, its second tone, clothes, accent: each row was chosen to sit together.
SCENES: Final = tuple(
    tuple(colour_of(code) for code in row.split())
    for row in (
        "#bfe3e0 #a4d3d1 #e4645a #fff1d6",
        "#fde2b3 #f8cf8d #2f6f8f #f4f0e6",
        "#cfd8f5 #b7c4ec #f2a541 #fdf3dd",
        "#f7c9c0 #f0b1a6 #34656d #fbe8c6",
        "#d6ecc9 #bfdfae #6c4f91 #f6d55c",
        "#27476b #335a83 #f4b860 #f7efe1",
        "#2f4b4f #3d6164 #f08a5d #f9e4b7",
        "#5b4b7d #6d5c92 #f7b2ad #fdf0d5",
        "#e8e3d5 #d8d1be #3c7a67 #f2c14e",
        "#f4e9cd #ead9b0 #c8553d #28536b",
        "#a9d6e5 #8cc5da #1f4e79 #ffd166",
        "#ffd9c7 #ffc4aa #4a7c59 #fef6e4",
        "#dcd0ee #c9b8e4 #2a7f86 #ffe0a3",
        "#3f6b5c #4d7f6e #f5d491 #d1495b",
        "#f9d5e0 #f3bccd #4b5f9e #fff4e0",
        "#c4dfe6 #abd0da #7b3f61 #f5cb5c",
        "#86b6a9 #74a79a #fbeee0 #cf5c36",
        "#e9a97e #e0986a #24475b #fbeedb",
        "#7a9cc6 #6a8dba #fce8c8 #d9594c",
        "#f2efe9 #e3ddd2 #5a6fa8 #e86a58",
    )
)
INK: Final = colour_of("#3a2230")
WHITE: Final = colour_of("#fdfaf6")
MOUTH_INSIDE: Final = colour_of("#4a1726")
TONGUE: Final = colour_of("#d8606a")
