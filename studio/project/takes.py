"""Rendered frames inside the project: takes, the state of each chunk, and the frame to show.

The engine's thread records through `TakeRecorder` on its own store; the viewer, the timeline's take strip and the export read.
Frames are single JPEG pictures by number, so that a killed render keeps all it has made. Knows no Qt.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from studio.project.blobs import decode_picture, encode_picture
from studio.project.store import ProjectStore, now_text
from studio.project.timecode import CHUNK_FRAMES, num_chunks

MAX_TAKES: Final = 2
PARTIAL: Final = ""  # instead of the condition's hash: the take has only the first frames of this chunk


class ChunkState(Enum):
    """What the take strip shows of a chunk."""

    EMPTY = "not rendered"
    STALE = "changed since it was rendered"
    FRESH = "rendered"


@dataclass(frozen=True, kw_only=True)
class Take:
    """One render of the timeline, perhaps cancelled half way."""

    id: int
    started_at: str
    num_frames: int
    done_frames: int
    work_seconds: float

    @property
    def is_complete(self) -> bool:
        """Whether every frame was rendered."""
        return self.done_frames >= self.num_frames

    @property
    def seconds_per_second(self) -> float | None:
        """Seconds of work for one second of film, measured; None before the first frame."""
        return self.work_seconds / (self.done_frames / 24.0) if self.done_frames else None


class TakeRecorder:
    """Writes one take, piece by piece, each piece a committed transaction."""

    def __init__(self, store: ProjectStore, chunk_hashes: tuple[str, ...], num_frames: int) -> None:
        """Begin a take; the conditions it is made under are `chunk_hashes`."""
        self._store = store
        self._hashes = chunk_hashes
        self._num_frames = num_frames
        self._done_frames = 0
        with store.transaction():
            row = {"started_at": now_text(), "num_frames": num_frames, "done_frames": 0, "work_seconds": 0.0}
            last_id = store.database.table("takes").insert(row).last_pk
        assert isinstance(last_id, int)
        self.take_id = last_id

    def add(self, frames_THWC: NDArray[np.uint8], start_frame: int, work_seconds: float) -> list[bytes]:
        """Keep frames from `start_frame` on and give them back as JPEG; `work_seconds` is the time since the start."""
        pictures = [encode_picture(frame_HWC, "JPEG") for frame_HWC in frames_THWC]
        self._done_frames = max(self._done_frames, start_frame + len(pictures))
        touched = range(start_frame // CHUNK_FRAMES, num_chunks(self._done_frames))
        with self._store.transaction():
            self._store.database.conn.executemany(
                "INSERT OR REPLACE INTO take_frames (take_id, frame, picture) VALUES (?, ?, ?)",
                [(self.take_id, start_frame + place, picture) for place, picture in enumerate(pictures)],
            )
            self._store.database.conn.executemany(
                "INSERT OR REPLACE INTO take_chunks (take_id, chunk, condition_sha) VALUES (?, ?, ?)",
                [(self.take_id, chunk, self._hashes[chunk] if self._is_whole(chunk) else PARTIAL) for chunk in touched],
            )
            self._store.database.table("takes").update(
                self.take_id, {"done_frames": self._done_frames, "work_seconds": work_seconds}
            )
        return pictures

    def _is_whole(self, chunk: int) -> bool:
        return min((chunk + 1) * CHUNK_FRAMES, self._num_frames) <= self._done_frames

    def finish(self) -> None:
        """The take is complete: older takes beyond the last few are dropped."""
        with self._store.transaction():
            rows = self._store.database.query("SELECT id FROM takes ORDER BY id DESC")
            for old in [row["id"] for row in rows][MAX_TAKES:]:
                drop_take(self._store, old)


def drop_take(store: ProjectStore, take_id: int) -> None:
    """Forget a take and its frames."""
    for table, key in (("take_frames", "take_id"), ("take_chunks", "take_id"), ("takes", "id")):
        store.database.execute(f"DELETE FROM {table} WHERE {key} = ?", [take_id])


def list_takes(store: ProjectStore) -> list[Take]:
    """All takes, newest first; what a stranger's file calls a take and is none is left out."""
    rows = store.database.query(
        "SELECT id, started_at, num_frames, done_frames, work_seconds FROM takes ORDER BY id DESC"
    )
    return [Take(**row) for row in rows if _is_take(row)]


def _is_take(row: dict[str, object]) -> bool:
    """SQLite keeps in a column whatever it is given."""
    counts, seconds = (row["id"], row["num_frames"], row["done_frames"]), row["work_seconds"]
    has_counts = all(isinstance(count, int) and count >= 0 for count in counts)
    return (
        has_counts
        and isinstance(row["started_at"], str)
        and isinstance(seconds, int | float)
        and math.isfinite(seconds)
    )


def frame_picture(store: ProjectStore, frame: int) -> bytes | None:
    """The newest rendered picture of a frame, as JPEG; None where no take has one."""
    row = store.database.execute(
        "SELECT picture FROM take_frames WHERE frame = ? ORDER BY take_id DESC LIMIT 1", [frame]
    ).fetchone()
    return None if row is None or not isinstance(row[0], bytes) else row[0]


def chunk_states(store: ProjectStore, hashes: tuple[str, ...]) -> tuple[ChunkState, ...]:
    """For each chunk of the timeline whether what would be shown is what the timeline now asks for.

    A chunk that a cancelled take made in part over an older one is a mixture, and so no longer what anybody asked for.
    """
    shown: dict[int, str] = {}
    for chunk, condition in store.database.execute("SELECT chunk, condition_sha FROM take_chunks ORDER BY take_id"):
        if condition != PARTIAL or chunk in shown:
            shown[chunk] = condition
    states = []
    for chunk, condition in enumerate(hashes):
        if chunk not in shown:
            states.append(ChunkState.EMPTY)
        else:
            states.append(ChunkState.FRESH if shown[chunk] == condition else ChunkState.STALE)
    return tuple(states)


def read_frames(store: ProjectStore, start_frame: int, end_frame: int) -> NDArray[np.uint8] | None:
    """Rendered frames [T, H, W, 3] of a stretch of the timeline; None if one of them is missing."""
    frames = []
    for frame in range(start_frame, end_frame):
        content = frame_picture(store, frame)
        if content is None:
            return None
        frames.append(decode_picture(content, "JPEG"))
    return np.stack(frames) if frames else None
