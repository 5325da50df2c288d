"""Whether words are Chinese, and the same in simplified characters: traditional ones are read as these (OpenCC).

Called wherever words are read, by encoders and by what looks for words itself. It knows characters and no models.
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from opencc import OpenCC

_CHINESE: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def is_chinese(text: str) -> bool:
    """Whether a direction has a Chinese character in it."""
    return _CHINESE.search(text) is not None


def simplified(text: str) -> str:
    """A text with simplified characters for its traditional ones, as they are written in Taiwan or elsewhere; all else stays."""
    return _convert_to_simplified(text) if is_chinese(text) else text


@lru_cache(maxsize=256)
def _convert_to_simplified(text: str) -> str:
    return str(_converter().convert(text))


@lru_cache(maxsize=1)
def _converter() -> "OpenCC":
    from opencc import OpenCC  # most people never need its tables

    return OpenCC("tw2s")
