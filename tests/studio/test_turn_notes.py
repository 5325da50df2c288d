"""What the studio says of directions that turn somebody round."""

from dataclasses import replace

from studio.project.document import Character, Reference
from studio.qt_models.turn_notes import turn_notes

FRONT = Reference(kind="global", subtype="", media_sha="a" * 64)
MAYA = Character(id="maya", name="Maya", references=(FRONT,))


def with_views(*views: str) -> Character:
    return replace(MAYA, references=(FRONT, *(replace(FRONT, kind="view", subtype=view) for view in views)))


def test_who_cannot_turn_and_what_is_not_seen() -> None:
    assert turn_notes(MAYA, "turns left") == turn_notes(None, "turns around") == ""
    assert turn_notes(MAYA, "smiles, then turns around").startswith(
        "Maya cannot turn: there is no picture from behind."
    )
    assert "from the side" in turn_notes(MAYA, "in profile") and "from the side" not in turn_notes(MAYA, "from behind")
    assert turn_notes(with_views("rear"), "turns around") == "Lips and eyes do not move while Maya is turned away."
    assert turn_notes(with_views("right"), "in profile") == "Lips and eyes do not move while Maya is turned away."
    both = turn_notes(with_views("rear"), "turns around, then in profile, facing left")
    assert "turned to its right" in both and "Lips and eyes" in both
