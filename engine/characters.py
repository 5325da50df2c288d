"""A character: a folder with `character.toml` and the pictures that show who it is.

    name = "Maya"
    description = "..."
    origin = "synthetic"            # or "imported"
    consent = "..."                 # why this face may be used
    [[references]]
    file = "global.png"
    kind = "global"                 # one global, up to four views, up to eight expressions
    [[references]]
    file = "expression_happy.png"
    kind = "expression"
    type = "happy"

Called by the command line, the studio's library and everything that performs. A folder may come from a stranger: every name and every
picture is checked, and nothing outside the folder is ever opened. It knows no model.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.digests import array_digest
from engine.errors import BadInputError, CharacterError
from engine.locations import character_dirs
from engine.media.pictures import read_picture, read_picture_size

CARD_NAME: Final = "character.toml"
VIEWS: Final = ("front", "left", "right", "rear")
EXPRESSIONS: Final = ("neutral", "happy", "sad", "angry", "surprised", "afraid", "disgusted", "contemptuous")
_MAX_CARD_BYTES: Final = 64 * 2**10
MAX_LETTERS: Final = {"name": 80, "description": 2000, "consent": 2000}


class ReferenceKind(StrEnum):
    """What a reference picture shows (paper section 2.4)."""

    GLOBAL = "global"
    VIEW = "view"
    EXPRESSION = "expression"


class Origin(StrEnum):
    """Where a character's pictures come from."""

    SYNTHETIC = "synthetic"
    IMPORTED = "imported"


@dataclass(frozen=True, kw_only=True)
class ReferenceFile:
    """One line of the card; `subtype` is a view's or an expression's name, empty for the global picture."""

    kind: ReferenceKind
    subtype: str
    path: Path


@dataclass(frozen=True, kw_only=True)
class CharacterCard:
    """What the card says, pictures not yet read: enough for a list."""

    name: str
    description: str
    origin: Origin
    consent: str
    folder: Path
    references: tuple[ReferenceFile, ...]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One reference picture, uint8 RGB at its own size."""

    kind: ReferenceKind
    subtype: str
    picture_HWC: NDArray[np.uint8]
    path: Path

    @cached_property
    def picture_digest(self) -> str:
        """The hash of the picture, found once."""
        return array_digest(self.picture_HWC)


@dataclass(frozen=True, kw_only=True)
class Character:
    """A character that can perform: exactly one global picture, and the views and expressions it has."""

    name: str
    description: str
    references: tuple[Reference, ...]

    @property
    def global_picture_HWC(self) -> NDArray[np.uint8]:
        """The picture that shows who the character is."""
        return next(item.picture_HWC for item in self.references if item.kind is ReferenceKind.GLOBAL)


def subtypes(kind: ReferenceKind) -> tuple[str, ...]:
    """The names a reference of this kind may have; the global picture has none."""
    return {ReferenceKind.GLOBAL: ("",), ReferenceKind.VIEW: VIEWS, ReferenceKind.EXPRESSION: EXPRESSIONS}[kind]


def load_character(folder: Path) -> Character:
    """Read a character with its pictures; `CharacterError` or `BadInputError` with the first thing that is wrong."""
    card = read_card(folder)
    problems = list(_reference_problems(card))
    if problems:
        raise CharacterError(f"{folder}: {problems[0]}")
    return Character(
        name=card.name,
        description=card.description,
        references=tuple(
            Reference(kind=item.kind, subtype=item.subtype, path=item.path, picture_HWC=read_picture(item.path))
            for item in card.references
        ),
    )


def read_card(folder: Path) -> CharacterCard:
    """Read and check `character.toml` without opening a picture; `CharacterError` in one line for a bad one."""
    path = folder / CARD_NAME
    try:
        if not path.is_file():
            raise CharacterError(
                f"{folder}: no character here, {CARD_NAME} is missing; see `lpm character list` for names, or make one of a picture "
                "with: lpm character import PICTURE -o DIR"
            )
        if path.stat().st_size > _MAX_CARD_BYTES:
            raise CharacterError(f"{path}: the card is larger than {_MAX_CARD_BYTES // 1024} KB; shorten it")
        table = tomllib.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, or a number of thousands of digits
        raise CharacterError(f"{path}: the card is not valid TOML ({error}); correct it") from None
    except OSError as error:
        raise CharacterError(
            f"{path}: cannot be read ({error.strerror or error}); give yourself leave to read it, or choose another character"
        ) from None
    return _card_of(table, folder)


def _card_of(table: Mapping[str, object], folder: Path) -> CharacterCard:
    texts = {key: _text(table, key, folder) for key in MAX_LETTERS}
    if not texts["name"]:
        raise CharacterError(f'{folder}: the card has no name; add a line like name = "Maya"')
    origin = table.get("origin", Origin.IMPORTED.value)
    if not isinstance(origin, str) or origin not in list(Origin):
        raise CharacterError(f'{folder}: origin is {origin!r}; write "synthetic" or "imported"')
    entries = table.get("references", [])
    if not isinstance(entries, list) or len(entries) > 1 + len(VIEWS) + len(EXPRESSIONS):
        raise CharacterError(
            f"{folder}: references must be a list of at most {1 + len(VIEWS) + len(EXPRESSIONS)} tables"
        )
    return CharacterCard(
        name=texts["name"],
        description=texts["description"],
        consent=texts["consent"],
        origin=Origin(origin),
        folder=folder,
        references=tuple(_reference_of(entry, folder) for entry in entries),
    )


def _text(table: Mapping[str, object], key: str, folder: Path) -> str:
    value = table.get(key, "")
    if not isinstance(value, str) or len(value) > MAX_LETTERS[key]:
        raise CharacterError(f"{folder}: {key} must be a text of at most {MAX_LETTERS[key]} letters")
    return " ".join(value.split())


def _reference_of(entry: object, folder: Path) -> ReferenceFile:
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
        raise CharacterError(f'{folder}: each of the references needs a line like file = "global.png"')
    name, kind, subtype = entry["file"], entry.get("kind"), entry.get("type", "")
    if kind not in list(ReferenceKind):
        raise CharacterError(f"{folder}: {name} is of kind {kind!r}; use one of {', '.join(ReferenceKind)}")
    if subtype not in subtypes(ReferenceKind(kind)):
        choices = ", ".join(subtypes(ReferenceKind(kind))) or "no type"
        raise CharacterError(f"{folder}: {name} has the type {subtype!r}, which no {kind} has; use {choices}")
    path = folder / name
    if Path(name).is_absolute() or not _lies_in(path, folder):
        raise CharacterError(f"{folder}: {name} lies outside the character's folder; copy it in")
    return ReferenceFile(kind=ReferenceKind(kind), subtype=subtype, path=path)


def _lies_in(path: Path, folder: Path) -> bool:
    """Also where links lead; a name that is none, or a link to itself, lies nowhere."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def _reference_problems(card: CharacterCard) -> Iterator[str]:
    num_global = sum(item.kind is ReferenceKind.GLOBAL for item in card.references)
    if num_global != 1:
        yield f'{num_global} global pictures; exactly one reference must have kind = "global"'
    seen: set[tuple[ReferenceKind, str]] = set()
    for item in card.references:
        key = (item.kind, item.subtype)
        if key in seen and item.kind is not ReferenceKind.GLOBAL:
            yield f"two pictures for the {item.kind} {item.subtype}; keep one"
        seen.add(key)


def check_character(folder: Path) -> list[str]:
    """Everything that is wrong with a character folder, one line each; empty for one that can perform."""
    try:
        card = read_card(folder)
    except CharacterError as error:
        return [str(error)]
    problems = [f"{folder}: {problem}" for problem in _reference_problems(card)]
    for item in card.references:
        try:
            read_picture_size(item.path)
            read_picture(item.path)
        except BadInputError as error:
            problems.append(str(error))
    if not card.consent:
        problems.append(f"{folder}: the card does not say why this face may be used; add a line consent = ...")
    return problems


def character_files(name_or_folder: str) -> Iterator[Path]:
    """The files of a character, so that nobody writes over them; `CharacterError` as `find_character` and `read_card` raise it."""
    folder = find_character(name_or_folder)
    yield folder / CARD_NAME
    for item in read_card(folder).references:
        yield item.path


def list_characters() -> list[CharacterCard]:
    """The cards of all characters at hand, by name; the person's own come before one that ships under the same folder name."""
    cards: dict[str, CharacterCard] = {}
    for folder in _character_folders():
        if folder.name not in cards:
            try:
                cards[folder.name] = read_card(folder)
            except CharacterError:
                continue  # a broken folder is no choice; `lpm character check DIR` says what is wrong with it
    return sorted(cards.values(), key=lambda card: card.name.casefold())


def _character_folders() -> Iterator[Path]:
    """What may be characters, the person's own first; places that cannot be read hold none."""
    for root in character_dirs():
        try:
            yield from sorted(path for path in root.iterdir() if path.is_dir())
        except OSError:
            continue


def find_character(name_or_folder: str) -> Path:
    """The folder of a character: a path as it stands, or a name (of the folder or on the card), whatever its capitals."""
    path = Path(name_or_folder)
    try:
        if path.is_dir():
            return path
    except OSError as error:
        raise CharacterError(
            f"{name_or_folder}: cannot be read ({error.strerror or error}); see `lpm character list` for names"
        ) from None
    wanted = name_or_folder.casefold()
    cards = list_characters()
    for card in cards:
        if wanted in (card.folder.name.casefold(), card.name.casefold()):
            return card.folder
    for folder in _character_folders():
        if wanted == folder.name.casefold():
            return folder  # its card is broken or missing: whoever reads it says what is wrong
    choices = ", ".join(card.name for card in cards) or "none is installed yet"
    raise CharacterError(f"{name_or_folder}: there is no such character or folder; choose one of: {choices}")
