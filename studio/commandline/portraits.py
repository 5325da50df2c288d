"""What a person is told of a character's pictures before it performs by them."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.called_views import missing_views
from engine.turns import parts_in_turn
from studio.commandline.console import one_line

if TYPE_CHECKING:
    from engine import Character, LoadedPack


def warn_of_portrait(pack: "LoadedPack", character: "Character") -> None:
    """A line on standard error where the pack does not know the like of this character's portrait; the film is made all the same."""
    from engine.familiarity import familiarity

    warning = familiarity(pack.matte, character.global_picture_HWC).warning
    if warning:
        sys.stderr.write(f"lpm: {one_line(character.name)}: {warning}\n")


def warn_of_turns(pack: "LoadedPack", character: "Character", texts: Iterable[str]) -> None:
    """A line on standard error for each side that directions turn the character to and that has no picture; it goes on facing us.

    Of a pack that does not move portraits before their walls nothing is said: its model reads the words itself.
    """
    if pack.posing is None or pack.matte is None:
        return
    views = {reference.subtype for reference in character.references}
    for view, part in missing_views((part for text in texts for part in parts_in_turn(text)), views).items():
        wanted = "view-left=PICTURE" if view == "profile" else f"view-{view}=PICTURE"
        sys.stderr.write(
            f"lpm: {one_line(character.name)} will not turn for {one_line(part)!r}: there is no picture of that side "
            f"(lpm character import PICTURE {wanted} -o NEW_DIR)\n"
        )
