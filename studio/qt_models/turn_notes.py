"""What a person is told of a direction that turns a character round: that there is no picture of that side, or what is not seen then.

Shared by the page of a direction and the Live workspace. It knows words and the cast, and asks no pack.
"""

from PySide6.QtCore import QCoreApplication

from engine.called_views import View, called_view, missing_views
from engine.turns import parts_in_turn
from studio.project.document import Character


def turn_notes(character: Character | None, direction: str) -> str:
    """Sentences, one after another; empty where the direction turns nobody, or there is nobody."""
    parts = parts_in_turn(direction)
    called = {called_view(part) for part in parts} - {"front", None}
    if not called or character is None:
        return ""
    views = {reference.subtype for reference in character.references if reference.kind == "view"}
    sides: dict[View, str] = {
        "rear": _tr("from behind"),
        "left": _tr("turned to its left"),
        "right": _tr("turned to its right"),
        "profile": _tr("from the side"),
    }
    missing = missing_views(parts, views)
    notes = [
        _tr("{name} cannot turn: there is no picture {side}. Characters that have one come from a folder.").format(
            name=character.name, side=sides[view]
        )
        for view in missing
    ]
    if len(missing) < len(called):
        notes.append(_tr("Lips and eyes do not move while {name} is turned away.").format(name=character.name))
    return " ".join(notes)


def _tr(words: str) -> str:
    return QCoreApplication.translate("turn_notes", words)
