"""What the studio's tests share: a small project, a stand-in engine that gives coloured frames, and a watch on threads."""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
from numpy.typing import NDArray

from studio.project.blobs import encode_picture, encode_sound
from studio.project.document import Character, Project, PromptSpan, Reference, SoundClip, Timeline
from studio.project.store import ProjectStore
from studio.project.timecode import CHUNK_FRAMES, SOUND_RATE_HZ

NUM_FRAMES = 6 * CHUNK_FRAMES
PICTURE_PX = 48
WAIT_MS = 300_000  # until something has happened: a loaded machine may take its time, and nothing here is about speed


def tone(seconds: float, hz: float = 220.0) -> NDArray[np.float32]:
    time_s = np.arange(round(seconds * SOUND_RATE_HZ)) / SOUND_RATE_HZ
    return (0.5 * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def picture(red: int, green: int = 90, blue: int = 90) -> NDArray[np.uint8]:
    return np.full((PICTURE_PX, PICTURE_PX, 3), (red, green, blue), dtype=np.uint8)


def fill(store: ProjectStore) -> Project:
    """A character, a sound on each track and two directions."""
    references = tuple(
        Reference(
            kind=kind, subtype=subtype, media_sha=store.add_media(encode_picture(picture(red)), "picture", subtype)
        )
        for kind, subtype, red in (("global", "", 10), ("view", "left", 60), ("expression", "happy", 110))
    )
    character = Character(id="maya", name="Maya", description="A calm listener", references=references)
    speak = store.add_media(encode_sound(tone(3)), "sound", "hello")
    listen = store.add_media(encode_sound(tone(2, 330)), "sound", "answer")
    return Project(
        title="Test",
        character_id="maya",
        characters=(character,),
        timeline=Timeline(
            num_frames=NUM_FRAMES,
            sounds=(
                SoundClip(id="s1", track="speak", name="hello", media_sha=speak, start_frame=0, out_sample=3 * 24000),
                SoundClip(
                    id="s2", track="listen", name="answer", media_sha=listen, start_frame=80, out_sample=2 * 24000
                ),
            ),
            prompts=(
                PromptSpan(id="p1", start_frame=0, end_frame=48, text="talks calmly"),
                PromptSpan(id="p2", start_frame=72, end_frame=120, text="nods"),
            ),
        ),
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProjectStore]:
    made = ProjectStore.create(tmp_path / "test.lpm", Project(title="Test"))
    made.write(fill(made), "Fill")
    yield made
    made.close()


@dataclass
class HandClock:
    """A clock that the test turns."""

    sample: int
    is_stopped: bool = False

    def position_samples(self) -> int:
        return self.sample

    def stop(self) -> None:
        self.is_stopped = True


@dataclass
class StandInPiece:
    """What the engine gives, as far as the studio reads it."""

    frames_THWC: NDArray[np.uint8]
    start_frame: int
    is_reused: bool = False


@dataclass
class StandInEngine:
    """Gives frames whose red tells their number; waits for `gate` before each chunk but the first `free_chunks`."""

    free_chunks: int = 1000
    gate: threading.Event = field(default_factory=threading.Event)
    loaded: list[str] = field(default_factory=list)
    jobs: list[Any] = field(default_factory=list)
    error: Exception | None = None
    reused_chunks: int = 0

    def load_pack(self, name: str) -> str:
        self.loaded.append(name)
        return name

    def perform(self, pack: Any, job: Any, should_stop: Callable[[], bool]) -> Iterator[StandInPiece]:
        self.jobs.append(job)
        for chunk, start in enumerate(range(0, job.num_frames, CHUNK_FRAMES)):
            while chunk >= self.free_chunks and not self.gate.wait(0.01):
                if should_stop():
                    return
            if self.error is not None:
                raise self.error
            end = min(start + CHUNK_FRAMES, job.num_frames)
            yield StandInPiece(
                np.stack([picture(red=frame) for frame in range(start, end)]), start, chunk < self.reused_chunks
            )
