"""Directions that turn the whole character are told from those that turn its head, and those of the actor's captions call for none."""

import numpy as np
import pytest

from engine.called_views import View, called_view, view_among
from training.actor.captions import caption
from training.actor.chinese_captions import bilingual_caption
from training.actor.directions import sample_spans


@pytest.mark.parametrize(
    ("text", "view"),
    [
        ("turns her back to us", "rear"),
        ("Sad, he turns his back on the camera", "rear"),
        ("she slowly turns around", "rear"),
        ("turn round", "rear"),
        ("stands with their back to the audience", "rear"),
        ("turns away from the viewer", "rear"),
        ("faces away", "rear"),
        ("shows the back of the jacket, seen from behind", "rear"),
        ("in profile", "profile"),
        ("shows her profile, bored", "profile"),
        ("in profile, facing left", "right"),
        ("in left profile", "right"),
        ("side view, looks to the right", "left"),
        ("turns sideways", "profile"),
        ("turns around to face us", "front"),
        ("turns back around", "front"),
        ("faces the camera again", "front"),
        ("turns left", "front"),
        ("turns his head to the right, then back", "front"),
        ("looks around the room", "front"),
        ("leans back", "front"),
        ("looks away", "front"),
        ("peeks from behind a door", "front"),
        ("is high profile", "front"),
        ("does not turn around", "front"),
        ("leaves without turning round", "front"),
        ("\u4e0d\u8f6c\u8eab", "front"),  # bu zhuanshen
        ("", "front"),
        ("\u80cc\u5bf9\u955c\u5934", "rear"),  # bei dui jingtou
        ("\u5979\u8f6c\u8eab", "rear"),  # ta zhuanshen
        ("\u8f49\u8eab", "rear"),  # the same in traditional characters
        ("\u4fa7\u8eab\uff0c\u671d\u5de6", "right"),  # ceshen, chao zuo
        ("\u8f6c\u8eab\u9762\u5bf9\u955c\u5934", "front"),  # zhuanshen mian dui jingtou
        ("\u5411\u5de6\u8f6c\u5934", "front"),  # xiang zuo zhuan tou
    ],
)
def test_directions_call_for_views(text: str, view: View) -> None:
    assert called_view(text) == view


def test_what_the_models_learned_turns_nobody_round() -> None:
    rng = np.random.default_rng(0)
    for kind in ("speak", "listen", "converse", "idle"):
        for _ in range(150):
            for span in sample_spans(rng, 96, kind):
                english = caption(rng, span, kind).text
                both = bilingual_caption(rng, span, kind)
                assert all(called_view(text) == "front" for text in (english, both.english, both.chinese)), both


@pytest.mark.parametrize(
    ("view", "views", "shown"),
    [
        ("rear", ("rear", "left"), "rear"),
        ("rear", ("left",), "front"),
        ("profile", ("right", "left"), "left"),
        ("profile", ("right",), "right"),
        ("profile", ("rear",), "front"),
        ("front", ("rear",), "front"),
    ],
)
def test_nobody_turns_to_a_side_of_which_there_is_no_picture(view: View, views: tuple[str, ...], shown: View) -> None:
    assert view_among(view, views) == shown
