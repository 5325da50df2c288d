"""How different two colours look: CIEDE2000, from CIELAB (CIE 142-2001; formulas as in Sharma, Wu and Dalal 2005)."""

import math
from collections.abc import Sequence
from typing import Final

_FAR: Final = 25.0**7


def ciede2000(first_lab: Sequence[float], second_lab: Sequence[float]) -> float:
    """The difference of two colours (L in 0..100, a, b); about 1 is what a person just sees side by side."""
    (light_1, a_1, b_1), (light_2, a_2, b_2) = first_lab, second_lab
    chroma_mean = (math.hypot(a_1, b_1) + math.hypot(a_2, b_2)) / 2
    stretch = 1.5 - 0.5 * math.sqrt(chroma_mean**7 / (chroma_mean**7 + _FAR))
    chroma_1, hue_1 = _polar(a_1 * stretch, b_1)
    chroma_2, hue_2 = _polar(a_2 * stretch, b_2)

    is_grey = chroma_1 * chroma_2 == 0.0
    turn = 0.0 if is_grey else (hue_2 - hue_1 + 180.0) % 360.0 - 180.0
    if not is_grey and hue_2 - hue_1 == 180.0:
        turn = 180.0
    hue_mean = hue_1 + hue_2 if is_grey else _mean_hue(hue_1, hue_2)
    light_mean, chroma_mean = (light_1 + light_2) / 2, (chroma_1 + chroma_2) / 2

    light_weight = 1 + 0.015 * (light_mean - 50) ** 2 / math.sqrt(20 + (light_mean - 50) ** 2)
    chroma_weight = 1 + 0.045 * chroma_mean
    shape = (
        1
        - 0.17 * _cos(hue_mean - 30)
        + 0.24 * _cos(2 * hue_mean)
        + 0.32 * _cos(3 * hue_mean + 6)
        - 0.20 * _cos(4 * hue_mean - 63)
    )
    hue_weight = 1 + 0.015 * chroma_mean * shape
    blue = 60 * math.exp(-(((hue_mean - 275) / 25) ** 2))
    rotation = -2 * math.sqrt(chroma_mean**7 / (chroma_mean**7 + _FAR)) * math.sin(math.radians(blue))

    light = (light_2 - light_1) / light_weight
    chroma = (chroma_2 - chroma_1) / chroma_weight
    hue = 2 * math.sqrt(chroma_1 * chroma_2) * math.sin(math.radians(turn / 2)) / hue_weight
    return math.sqrt(max(light**2 + chroma**2 + hue**2 + rotation * chroma * hue, 0.0))


def _polar(a: float, b: float) -> tuple[float, float]:
    """Chroma and hue in degrees, 0..360."""
    return math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360.0


def _mean_hue(first: float, second: float) -> float:
    if abs(first - second) <= 180.0:
        return (first + second) / 2
    return (first + second + (360.0 if first + second < 360.0 else -360.0)) / 2


def _cos(degrees: float) -> float:
    return math.cos(math.radians(degrees))
