"""Directions that turn the whole character are told from those that turn its head, and those of the actor's captions call for none."""

import numpy as np
import pytest

from engine.called_views import WORDS, View, called_view, view_among
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
        ("stands with back to the camera", "rear"),
        ("back to us", "rear"),
        ("with her back facing the camera", "rear"),
        ("turns away from the viewer", "rear"),
        ("faces away", "rear"),
        ("show me your back", "rear"),
        ("shows the back of the jacket", "rear"),
        ("calm, seen from the back", "rear"),
        ("from behind", "rear"),
        ("turns her back to us, not showing her face", "rear"),
        ("she never shows her face, her back to us", "rear"),
        ("does not show emotion and turns around", "rear"),
        ("is not happy and turns around", "rear"),
        ("turns around without showing any feeling", "rear"),
        ("in profile", "profile"),
        ("shows her profile, bored", "profile"),
        ("side profile", "profile"),
        ("turns to the side", "profile"),
        ("turns sideways", "profile"),
        ("in profile, raises her left hand", "profile"),
        ("in profile, facing left", "right"),
        ("in her left profile", "right"),
        ("side view, looks to the right", "left"),
        ("turns around to face us", "front"),
        ("turns around to look at us", "front"),
        ("turns around and smiles at the camera", "front"),
        ("turns back around", "front"),
        ("turns back to the viewer", "front"),
        ("faces the camera again", "front"),
        ("does not turn around", "front"),
        ("leaves without turning round", "front"),
        ("isn't seen from behind", "front"),
        ("no longer facing away", "front"),
        ("not in profile", "front"),
        ("turns left", None),
        ("turns his head to the right, then back", None),
        ("looks around the room", None),
        ("leans back", None),
        ("looks away", None),
        ("comes back to us", None),
        ("peeks from behind a door", None),
        ("is high profile", None),
        ("", None),
        ("\u80cc\u5bf9\u955c\u5934", "rear"),  # bei dui jingtou
        ("\u80cc\u5bf9\u955c\u5934\uff0c\u9762\u5bf9\u7a97\u6237", "rear"),  # bei dui jingtou, mian dui chuanghu
        ("\u80cc\u671d\u955c\u5934", "rear"),  # bei chao jingtou
        ("\u5979\u8f6c\u8eab", "rear"),  # ta zhuanshen
        ("\u8f49\u8eab", "rear"),  # the same in traditional characters
        ("\u8f6c\u8fc7\u53bb", "rear"),  # zhuan guo qu
        ("\u544a\u522b\u8f6c\u8eab\u79bb\u5f00", "rear"),  # gaobie zhuanshen likai
        ("\u5979turns around", "rear"),
        ("\u4fa7\u8eab\uff0c\u671d\u5de6", "right"),  # ceshen, chao zuo
        ("\u53f3\u4fa7\u9762", "left"),  # you cemian
        ("\u8f6c\u8eab\u9762\u5bf9\u955c\u5934", "front"),  # zhuanshen mian dui jingtou
        ("\u8f6c\u8fc7\u8eab\u6765", "front"),  # zhuan guo shen lai
        ("\u8f6c\u8eab\u770b\u7740\u6211\u4eec", "front"),  # zhuanshen kanzhe women
        ("\u4e0d\u8981\u8f6c\u8eab", "front"),  # bu yao zhuanshen
        ("\u4e0d\u8981\u80cc\u5bf9\u955c\u5934", "front"),  # bu yao bei dui jingtou
        ("\u5411\u5de6\u8f6c\u5934", None),  # xiang zuo zhuan tou
        ("\u4ece\u80cc\u540e\u62ff\u51fa\u4e00\u675f\u82b1", None),  # cong beihou na chu yi shu hua
    ],
)
def test_directions_call_for_views(text: str, view: View | None) -> None:
    assert called_view(text) == view


@pytest.mark.parametrize(("view", "words"), WORDS.items())
def test_words_for_a_view_call_for_it(view: View, words: str) -> None:
    assert called_view(words) == called_view(f"{words}, nods") == view


def test_what_the_models_learned_turns_nobody_round() -> None:
    rng = np.random.default_rng(0)
    for kind in ("speak", "listen", "converse", "idle"):
        for _ in range(150):
            for span in sample_spans(rng, 96, kind):
                english = caption(rng, span, kind).text
                both = bilingual_caption(rng, span, kind)
                assert all(called_view(text) is None for text in (english, both.english, both.chinese)), both


@pytest.mark.parametrize(
    ("view", "views", "shown"),
    [
        ("rear", ("rear", "left"), "rear"),
        ("rear", ("left",), "front"),
        ("profile", ("right", "left"), "left"),
        ("profile", ("right",), "right"),
        ("profile", ("rear",), "front"),
        ("front", ("rear",), "front"),
        (None, ("rear",), "front"),
    ],
)
def test_nobody_turns_to_a_side_of_which_there_is_no_picture(
    view: View | None, views: tuple[str, ...], shown: View
) -> None:
    assert view_among(view, views) == shown
