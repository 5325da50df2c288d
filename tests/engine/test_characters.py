"""Characters: what is written can be read, what is wrong is told, and nothing outside the folder is opened."""

from pathlib import Path

import numpy as np
import pytest

from engine.character_writing import NewCharacter, NewReference, write_character
from engine.characters import (
    Origin,
    ReferenceKind,
    check_character,
    find_character,
    list_characters,
    load_character,
    read_card,
)
from engine.errors import BadInputError, CharacterError
from engine.locations import HOME_VARIABLE
from tests.engine.media.hostile import huge_png, png_bytes


def write_sample(folder: Path, name: str = "Ada") -> Path:
    grey_HWC = np.full((32, 32, 3), 120, np.uint8)
    kinds = ((ReferenceKind.GLOBAL, ""), (ReferenceKind.VIEW, "left"), (ReferenceKind.EXPRESSION, "happy"))
    references = [NewReference(kind=kind, subtype=subtype, picture_HWC=grey_HWC) for kind, subtype in kinds]
    write_character(
        folder,
        NewCharacter(
            name=name,
            description='says "hi"\nand \\o/',
            origin=Origin.SYNTHETIC,
            consent="drawn",
            references=references,
        ),
    )
    return folder


def with_card(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "global.png").write_bytes(png_bytes())
    (folder / "character.toml").write_text(text)
    return folder


def test_write_then_read_is_identity(tmp_path: Path) -> None:
    character = load_character(write_sample(tmp_path / "ada"))
    assert character.name == "Ada" and character.description == 'says "hi" and \\o/'
    assert [(item.kind, item.subtype) for item in character.references] == [
        ("global", ""),
        ("view", "left"),
        ("expression", "happy"),
    ]
    assert character.global_picture_HWC.shape == (32, 32, 3)
    assert check_character(tmp_path / "ada") == []
    with pytest.raises(BadInputError, match="is there already"):
        write_sample(tmp_path / "ada")
    assert [item.name for item in tmp_path.iterdir()] == ["ada"]


@pytest.mark.parametrize(
    ("card", "complaint"),
    [
        ('name = "A"', "0 global pictures"),
        ('name = "A"\n' + '[[references]]\nfile = "global.png"\nkind = "global"\n' * 2, "2 global pictures"),
        ('[[references]]\nfile = "global.png"\nkind = "global"', "no name"),
        ("name = [", "not valid TOML"),
        ("name = " + "1" * 5000, "not valid TOML"),
        ('name = "A"\n[[references]]\nfile = "a\\u0000b.png"\nkind = "global"', "outside"),
        ('name = "A"\norigin = "stolen"', "origin is 'stolen'"),
        ('name = "A"\n[[references]]\nfile = "global.png"\nkind = "hat"', "of kind 'hat'"),
        ('name = "A"\n[[references]]\nfile = "global.png"\nkind = "view"\ntype = "above"', "type 'above'"),
        ('name = "A"\n[[references]]\nfile = "../global.png"\nkind = "global"', "outside"),
        ('name = "A"\n[[references]]\nfile = "/etc/passwd"\nkind = "global"', "outside"),
        ('name = "A"\n[[references]]\nfile = "none.png"\nkind = "global"', "there is no such file"),
        ('name = "A"\n[[references]]\nkind = "global"', "file = "),
        ('name = "A"\nreferences = 3', "list of at most 13"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, card: str, complaint: str) -> None:
    folder = with_card(tmp_path / "x", card)
    with pytest.raises((CharacterError, BadInputError)) as caught:
        load_character(folder)
    assert complaint in str(caught.value) and str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert check_character(folder)


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    folder = with_card(tmp_path / "x", 'name = "A"\n[[references]]\nfile = "link.png"\nkind = "global"')
    (folder / "link.png").symlink_to(folder / "link.png")
    with pytest.raises(CharacterError, match="outside"):
        load_character(folder)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png_bytes())
    folder = with_card(tmp_path / "x", 'name = "A"\n[[references]]\nfile = "link.png"\nkind = "global"')
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(CharacterError, match="outside"):
        load_character(folder)


def test_an_image_that_is_too_large_is_refused(tmp_path: Path) -> None:
    folder = with_card(tmp_path / "x", 'name = "A"\n[[references]]\nfile = "global.png"\nkind = "global"')
    huge_png(folder / "global.png")
    with pytest.raises(BadInputError, match="at most 4096"):
        load_character(folder)


def test_characters_are_found_by_folder_and_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    folder = write_sample(tmp_path / "characters" / "my-ada", "Ada Q")
    with_card(tmp_path / "characters" / "broken", "name = [")
    names = [card.name for card in list_characters()]
    assert "Ada Q" in names and "Maya" in names
    assert find_character("ada q") == find_character("MY-ADA") == find_character(str(folder)) == folder
    with pytest.raises(CharacterError, match=r"choose one of.*Ada Q"):
        find_character("nobody")


def test_the_characters_that_ship_are_complete() -> None:
    shipped = [card for card in list_characters() if card.origin is Origin.SYNTHETIC and "seed" in card.consent]
    assert len(shipped) >= 8
    for card in shipped:
        assert check_character(card.folder) == []
        assert len(read_card(card.folder).references) == 13
