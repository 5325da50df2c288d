"""File names made of what people call things: titles and characters may be called anything, files may not.

Called where a name is suggested or chosen for them. Knows no Qt.
"""

import re
from typing import Final

MOST_BYTES: Final = 120  # of a name without its suffix, in UTF-8; file systems take 255 with all that is put behind it
UNNAMED: Final = "Untitled"
_NOT_IN_NAMES: Final = re.compile(r'[\x00-\x1f/\\:*?"<>|]+')  # on one system or another


def as_file_name(text: str) -> str:
    """The text as the name of a file, without a suffix: never a path, never empty, and short enough."""
    name = _NOT_IN_NAMES.sub("-", text).strip(" .")
    name = name.encode("utf-8", "ignore")[:MOST_BYTES].decode("utf-8", "ignore").strip(" .")
    return name or UNNAMED
