"""What a person brings along, sounds, pictures and character folders, becomes media of the project.

Called by the studio's imports on a background thread and by scripts that make projects. Reading files, which may be hostile, is
the engine's media readers' work; here their result is brought into the project's own formats. Knows no Qt.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.character_writing import NewReference, imported_character, write_character
from engine.characters import CARD_NAME, load_character, read_card
from engine.locations import character_dirs
from engine.media.pictures import square_crop
from engine.media.sound import read_sound
from studio.file_names import as_file_name
from studio.project.blobs import encode_picture, encode_sound
from studio.project.document import MAX_NAME_CHARACTERS, Character, Reference, SoundClip, SoundTrack
from studio.project.store import ProjectStore

SOUND_SUFFIXES: Final = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".mp4", ".mov", ".webm", ".aiff")
PICTURE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp")
MAX_REFERENCE_PX: Final = 512


@dataclass(frozen=True, kw_only=True)
class ImportedSound:
    """A sound that was read: its name, its bytes as FLAC and its length."""

    name: str
    content: bytes
    num_samples: int


@dataclass(frozen=True, kw_only=True)
class ImportedCharacter:
    """A character that was read: everything but the identifiers of the pictures, which come with the project."""

    name: str
    description: str
    origin: str
    pictures: tuple[tuple[str, str, bytes], ...]  # kind, subtype, PNG


def is_character_folder(path: Path) -> bool:
    """Whether a dropped folder looks like a character."""
    return path.is_dir() and (path / CARD_NAME).is_file()


def is_picture(path: Path) -> bool:
    """Whether a dropped file calls itself a picture; what it is, its reader finds out."""
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.is_dir()


def read_sound_import(path: Path) -> ImportedSound:
    """Read a sound file; `BadInputError` says what is wrong with it."""
    samples_S = read_sound(path)
    return ImportedSound(
        name=path.stem[:MAX_NAME_CHARACTERS], content=encode_sound(samples_S), num_samples=len(samples_S)
    )


def read_character_import(folder: Path) -> ImportedCharacter:
    """Read a character folder; `CharacterError` or `BadInputError` says what is wrong with it."""
    card = read_card(folder)
    character = load_character(folder)
    return ImportedCharacter(
        name=character.name[:MAX_NAME_CHARACTERS],
        description=character.description,
        origin=str(card.origin),
        pictures=tuple(
            (
                str(reference.kind),
                reference.subtype,
                encode_picture(
                    square_crop(reference.picture_HWC, min(MAX_REFERENCE_PX, *reference.picture_HWC.shape[:2]))
                ),
            )
            for reference in character.references
        ),
    )


def make_character(name: str, consent: str, portrait: NewReference) -> ImportedCharacter:
    """Make a character of one picture among the person's own, as `lpm character import` does, and read it as any other.

    Its card keeps why this face may be used; `CharacterError` or `BadInputError` where it cannot be written.
    """
    folder = _unused_folder(as_file_name(name))
    write_character(folder, imported_character(name, consent, [portrait]))
    return read_character_import(folder)


def _unused_folder(name: str) -> Path:
    """A folder among the person's own characters that hides none of those at hand."""
    folders = [folder for root in character_dirs() if root.is_dir() for folder in root.iterdir()]
    taken = {folder.name.casefold() for folder in folders}
    candidate, number = name, 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{name} {number}"
    return character_dirs()[0] / candidate


def store_sound(store: ProjectStore, sound: ImportedSound, track: SoundTrack, start_frame: int) -> SoundClip:
    """Keep a sound's bytes in the project and give the clip that plays all of it; the caller adds it by a command."""
    sha = store.add_media(sound.content, "sound", sound.name)
    return SoundClip(track=track, name=sound.name, media_sha=sha, start_frame=start_frame, out_sample=sound.num_samples)


def store_character(store: ProjectStore, imported: ImportedCharacter) -> Character:
    """Keep a character's pictures in the project and give the character; the caller adds it by a command."""
    references = tuple(
        Reference(
            kind=kind,
            subtype=subtype,
            media_sha=store.add_media(content, "picture", f"{imported.name} {subtype or kind}"),
        )
        for kind, subtype, content in imported.pictures
    )
    return Character(
        name=imported.name, description=imported.description, origin=imported.origin, references=references
    )
