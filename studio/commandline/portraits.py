"""What a person is told of a portrait before a character performs by it."""

import sys
from typing import TYPE_CHECKING

from studio.commandline.console import one_line

if TYPE_CHECKING:
    from engine import Character, LoadedPack


def warn_of_portrait(pack: "LoadedPack", character: "Character") -> None:
    """A line on standard error where the pack does not know the like of this character's portrait; the film is made all the same."""
    from engine.familiarity import familiarity

    warning = familiarity(pack.matte, character.global_picture_HWC).warning
    if warning:
        sys.stderr.write(f"lpm: {one_line(character.name)}: {warning}\n")
