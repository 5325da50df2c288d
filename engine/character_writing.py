"""Writing a character folder: pictures as PNG and the card that lists them.

Called by `lpm character import`, the studio's import and the procedural actor. The folder appears whole or not at all.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.characters import CARD_NAME, Origin, ReferenceKind, check_character
from engine.errors import CharacterError
from engine.media.files_to_write import check_new_folder
from engine.media.pictures import read_picture, square_crop, write_picture
from engine.media.whole_files import cannot_write

MAX_IMPORT_PX: Final = 768
_USER_ANSWERS: Final = "Imported by the user, who answers for the right to use this face."


@dataclass(frozen=True, kw_only=True)
class NewReference:
    """A picture to be written, uint8 RGB, and what it shows."""

    kind: ReferenceKind
    subtype: str
    picture_HWC: NDArray[np.uint8]

    @property
    def file_name(self) -> str:
        """`global.png`, `view_left.png`, `expression_happy.png`."""
        return f"{self.kind}_{self.subtype}.png" if self.subtype else f"{self.kind}.png"


@dataclass(frozen=True, kw_only=True)
class NewCharacter:
    """Everything that goes into a character folder."""

    name: str
    description: str
    origin: Origin
    consent: str
    references: Sequence[NewReference]


def read_reference(path: Path, kind: ReferenceKind = ReferenceKind.GLOBAL, subtype: str = "") -> NewReference:
    """A picture of the person's own: its middle square, at most 768 pixels wide; `BadInputError` as from `read_picture`."""
    picture_HWC = read_picture(path)
    side_px = min(*picture_HWC.shape[:2], MAX_IMPORT_PX)
    return NewReference(kind=kind, subtype=subtype, picture_HWC=square_crop(picture_HWC, side_px))


def imported_character(name: str, consent: str, references: Sequence[NewReference]) -> NewCharacter:
    """A character of pictures that a person brings; where they do not say why this face may be used, they answer for it."""
    consent = consent.strip() or _USER_ANSWERS
    return NewCharacter(name=name, description="", origin=Origin.IMPORTED, consent=consent, references=references)


def write_character(folder: Path, character: NewCharacter) -> None:
    """Write a new folder; `BadInputError` where one is there already, `CharacterError` where it would not be a valid one."""
    check_new_folder(folder)
    staging = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    try:
        staging.mkdir(parents=True)
        for reference in character.references:
            write_picture(staging / reference.file_name, reference.picture_HWC)
        (staging / CARD_NAME).write_bytes(_card_text(character).encode("utf-8"))
        problems = check_character(staging)
        if problems:
            raise CharacterError(problems[0].replace(str(staging), str(folder)))
        if folder.is_dir():
            folder.rmdir()
        os.replace(staging, folder)
    except OSError as error:
        raise cannot_write(folder, error) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _card_text(character: NewCharacter) -> str:
    lines = [f"{key} = {_quoted(getattr(character, key))}" for key in ("name", "description", "origin", "consent")]
    for reference in character.references:
        lines += ["", "[[references]]", f"file = {_quoted(reference.file_name)}", f"kind = {_quoted(reference.kind)}"]
        if reference.subtype:
            lines.append(f"type = {_quoted(reference.subtype)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's quoting is one, once line breaks and control characters are gone."""
    return json.dumps(
        " ".join("".join(letter if letter.isprintable() else " " for letter in text).split()), ensure_ascii=False
    )
