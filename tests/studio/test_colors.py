"""The colours: words can be read and edges be seen, in dark and in light, by the measure of WCAG 2.2."""

from dataclasses import asdict

import pytest

from studio.theme.colors import DARK, LIGHT, Colors

BOTH = pytest.mark.parametrize("colors", [DARK, LIGHT], ids=["dark", "light"])
SURFACES = ("window", "panel", "raised", "hover", "field", "selection")
FOR_WORDS = 4.5
FOR_EDGES = 3.0
FOR_QUIET_EDGES = 1.5  # words or a fill of their own say where these are; the edge is only to be seen


def luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def weakest(colors: Colors, color: str, surfaces: tuple[str, ...]) -> float:
    named = asdict(colors)
    return min(contrast(named[color], named[surface]) for surface in surfaces)


def test_black_on_white_is_twenty_one_to_one() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@BOTH
@pytest.mark.parametrize("color", ["text", "text_soft"])
def test_words_can_be_read_on_every_surface(colors: Colors, color: str) -> None:
    assert weakest(colors, color, SURFACES) >= FOR_WORDS


@BOTH
def test_words_on_filled_controls_can_be_read(colors: Colors) -> None:
    for fill in ("accent", "accent_hover", "prompt", "listen", "speak", "text_soft"):
        assert weakest(colors, "on_accent", (fill,)) >= FOR_WORDS, fill


@BOTH
def test_what_an_empty_field_says_can_be_read(colors: Colors) -> None:
    assert weakest(colors, "placeholder", ("field", "panel")) >= FOR_WORDS


@BOTH
def test_what_is_disabled_can_still_be_made_out(colors: Colors) -> None:
    assert weakest(colors, "text_faint", ("window", "panel", "raised", "field")) >= FOR_EDGES


@BOTH
def test_fields_meters_and_scroll_bars_have_edges(colors: Colors) -> None:
    assert weakest(colors, "edge", ("window", "panel", "field")) >= FOR_EDGES


@BOTH
def test_buttons_and_the_lines_of_menus_are_seen(colors: Colors) -> None:
    assert weakest(colors, "edge_soft", ("window", "panel", "raised")) >= FOR_QUIET_EDGES


@BOTH
def test_what_tells_a_state_is_seen_on_its_track(colors: Colors) -> None:
    for color in ("accent", "playhead", "speak", "listen", "prompt", "fresh", "stale", "error"):
        assert weakest(colors, color, ("panel", "field")) >= FOR_EDGES, color
