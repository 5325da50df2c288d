"""The document as rows of tables, and back.

Called by the store, which writes only the rows that an edit changed. Everything read is checked here: a row that makes no
document is `BadInputError`. Knows neither SQLite nor Qt.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from engine.errors import BadInputError
from studio.project.document import (
    MAX_NAME_CHARACTERS,
    MAX_SEED,
    TRACKS,
    Character,
    Project,
    PromptSpan,
    Reference,
    SoundClip,
    Timeline,
    TrackName,
)

Row = dict[str, Any]
Tables = dict[str, dict[Any, Row]]
DOCUMENT_TABLES: Final = ("project", "characters", "sounds", "prompts")
MAX_ITEMS: Final = 10_000


def tables_of(project: Project) -> Tables:
    """Every row of a document, by table and primary key."""
    timeline = project.timeline
    head: Row = {
        "id": 1,
        "title": project.title,
        "pack": project.pack,
        "seed": project.seed,
        "character_id": project.character_id,
        "num_frames": timeline.num_frames,
        "muted": " ".join(sorted(timeline.muted)),
        "in_frame": timeline.in_frame,
        "out_frame": timeline.out_frame,
    }
    return {
        "project": {1: head},
        "characters": {
            character.id: _character_row(character, place) for place, character in enumerate(project.characters)
        },
        "sounds": {clip.id: _sound_row(clip, place) for place, clip in enumerate(timeline.sounds)},
        "prompts": {
            prompt.id: {
                "id": prompt.id,
                "position": place,
                "start_frame": prompt.start_frame,
                "end_frame": prompt.end_frame,
                "text": prompt.text,
            }
            for place, prompt in enumerate(timeline.prompts)
        },
    }


def _character_row(character: Character, place: int) -> Row:
    references = [[ref.kind, ref.subtype, ref.media_sha] for ref in character.references]
    return {
        "id": character.id,
        "position": place,
        "name": character.name,
        "description": character.description,
        "origin": character.origin,
        "reference_pictures": json.dumps(references),
    }


def _sound_row(clip: SoundClip, place: int) -> Row:
    return {
        "id": clip.id,
        "position": place,
        "track": clip.track,
        "name": clip.name,
        "media_sha": clip.media_sha,
        "start_frame": clip.start_frame,
        "in_sample": clip.in_sample,
        "out_sample": clip.out_sample,
        "gain_db": clip.gain_db,
        "is_muted": int(clip.is_muted),
    }


def project_of(tables: Mapping[str, Sequence[Row]]) -> Project:
    """The document that rows describe; `BadInputError` if they describe none."""
    try:
        if any(len(tables[name]) > MAX_ITEMS for name in DOCUMENT_TABLES):
            raise BadInputError("the project holds more clips than this program can work with")
        head = tables["project"][0]
        muted = frozenset(cast(list[TrackName], [name for name in str(head["muted"]).split() if name in TRACKS]))
        timeline = Timeline(
            num_frames=_integer(head["num_frames"]),
            sounds=tuple(_sound(row) for row in _in_order(tables["sounds"])),
            prompts=tuple(
                PromptSpan(
                    id=_text(row["id"]),
                    start_frame=_integer(row["start_frame"]),
                    end_frame=_integer(row["end_frame"]),
                    text=_text(row["text"], limit=10_000),
                )
                for row in _in_order(tables["prompts"])
            ),
            muted=muted,
            in_frame=_mark(head["in_frame"], 0, _integer(head["num_frames"]) - 1),
            out_frame=_mark(head["out_frame"], 1, _integer(head["num_frames"])),
        )
        return Project(
            title=_text(head["title"]),
            pack=_pack_name(head["pack"]),
            seed=_seed(head["seed"]),
            character_id=_text(head["character_id"]),
            characters=tuple(_character(row) for row in _in_order(tables["characters"])),
            timeline=timeline,
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BadInputError(f"the project is damaged: {error}") from error


def changed_rows(before: Tables, after: Tables) -> list[tuple[str, Any, Row | None]]:
    """What an edit changed: (table, key, new row or None where the row is gone)."""
    changes: list[tuple[str, Any, Row | None]] = []
    for table in DOCUMENT_TABLES:
        changes += [(table, key, None) for key in before[table].keys() - after[table].keys()]
        changes += [(table, key, row) for key, row in after[table].items() if before[table].get(key) != row]
    return changes


def _in_order(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: _integer(row["position"]))


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _seed(value: object) -> int:
    seed = _integer(value)
    if not 0 <= seed <= MAX_SEED:
        raise ValueError(f"{seed} is no seed; it must be from 0 to {MAX_SEED}")
    return seed


def _mark(value: object, first: int, last: int) -> int | None:
    """An in or out point; one that lies outside the timeline marks nothing."""
    frame = None if value is None else _integer(value)
    return frame if frame is not None and first <= frame <= last else None


def _text(value: object, limit: int = 4 * MAX_NAME_CHARACTERS) -> str:
    if not isinstance(value, str) or len(value) > limit:
        raise TypeError(f"{str(value)[:40]!r} is not a text of at most {limit} characters")
    return value


def _pack_name(value: object) -> str:
    name = _text(value)
    if not name or not all(letter.isalnum() or letter in "-_" for letter in name):
        raise TypeError(f"{name[:40]!r} is no name of a model pack")  # above all no path
    return name


def _sound(row: Row) -> SoundClip:
    return SoundClip(
        id=_text(row["id"]),
        track=cast(Any, _text(row["track"])),
        name=_text(row["name"]),
        media_sha=_text(row["media_sha"]),
        start_frame=_integer(row["start_frame"]),
        in_sample=_integer(row["in_sample"]),
        out_sample=_integer(row["out_sample"]),
        gain_db=float(row["gain_db"]),
        is_muted=bool(row["is_muted"]),
    )


def _character(row: Row) -> Character:
    pictures = json.loads(_text(row["reference_pictures"], limit=100_000))
    if not isinstance(pictures, list) or len(pictures) > 64:
        raise TypeError("the reference pictures of a character are not a list")
    return Character(
        id=_text(row["id"]),
        name=_text(row["name"]),
        description=_text(row["description"], limit=10_000),
        origin=_text(row["origin"]),
        references=tuple(
            Reference(kind=_text(kind), subtype=_text(subtype), media_sha=_text(sha)) for kind, subtype, sha in pictures
        ),
    )
