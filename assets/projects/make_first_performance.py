"""Makes the sample project that the studio opens at its first start: `python assets/projects/make_first_performance.py`.

The lines are spoken by text to speech, the characters are drawn: nothing in it shows or records a real person. With
`--render` the film is rendered too, so that the project plays as soon as it is opened; that needs the model pack.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from studio.project.blobs import encode_sound  # noqa: E402  # the checkout is put on the path first
from studio.project.document import Project, PromptSpan, SoundTrack, Timeline  # noqa: E402
from studio.project.imports import ImportedSound, read_character_import, store_character, store_sound  # noqa: E402
from studio.project.render_plan import plan_render, render_job  # noqa: E402
from studio.project.store import ProjectStore  # noqa: E402
from studio.project.takes import TakeRecorder  # noqa: E402
from studio.project.timecode import CHUNK_FRAMES, SAMPLES_PER_FRAME  # noqa: E402

TARGET = ROOT / "assets" / "projects" / "first-performance.lpm"
CAST = ("maya", "omar", "iris", "samuel")  # the first one performs
OWN_VOICE = "en-us+f3"
PARTNER_VOICE = "en-us+m3"
LINES: tuple[tuple[SoundTrack, str, str], ...] = (
    ("speak", "Welcome", "Hello, and welcome to the studio. Tell me what you would like to make today."),
    ("listen", "Answer", "I want to tell a story about the sea. Will you help me?"),
    ("speak", "Reply", "With pleasure! Let us begin."),
)
GAP_FRAMES = 8
DIRECTIONS = ("talks calmly and smiles", "listens with interest", "is happy and looks at the viewer")


def make(target: Path) -> None:
    """Write the project without a film."""
    target.unlink(missing_ok=True)
    with ProjectStore.create(target, Project(title="First performance")) as store:
        characters = tuple(
            store_character(store, read_character_import(ROOT / "assets" / "characters" / name)) for name in CAST
        )
        sounds, prompts, frame = [], [], 0
        for (track, name, text), words in zip(LINES, DIRECTIONS, strict=True):
            imported = spoken(name, text, OWN_VOICE if track == "speak" else PARTNER_VOICE)
            clip = store_sound(store, imported, track, frame + (GAP_FRAMES if frame else 4))
            end = -(-(clip.end_frame + 2) // CHUNK_FRAMES) * CHUNK_FRAMES
            sounds.append(clip)
            prompts.append(PromptSpan(start_frame=frame, end_frame=end, text=words))
            frame = end
        timeline = Timeline(num_frames=frame, sounds=tuple(sounds), prompts=tuple(prompts))
        project = Project(
            title="First performance", characters=characters, character_id=characters[0].id, timeline=timeline
        )
        store.write(replace(project, seed=7), "Sample project")
        store.tidy()


def spoken(name: str, text: str, voice_name: str) -> ImportedSound:
    """One line by text to speech, without the silence at its ends."""
    from training.actor.voices import Manner, Voice, speak

    sound_S = speak(text, Voice(engine="espeak", name=voice_name), Manner(rate=0.92)).sound_S
    loud = np.flatnonzero(np.abs(sound_S) > 0.01)
    sound_S = sound_S[max(loud[0] - SAMPLES_PER_FRAME, 0) : loud[-1] + SAMPLES_PER_FRAME]
    return ImportedSound(
        name=name, content=encode_sound(0.8 * sound_S / np.abs(sound_S).max()), num_samples=len(sound_S)
    )


def render(target: Path) -> None:
    """Record one take with the model pack."""
    import engine

    with ProjectStore(target) as store:
        plan = plan_render(store.project, store.media)
        pack = engine.load_pack(plan.pack)
        recorder = TakeRecorder(store, plan.chunk_hashes, plan.num_frames)
        started_s = time.monotonic()
        for piece in engine.perform(pack, render_job(plan, store.media)):
            recorder.add(piece.frames_THWC, piece.start_frame, time.monotonic() - started_s)
        recorder.finish()
        store.tidy()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=TARGET)
    parser.add_argument("--render", action="store_true", help="render the film as well")
    arguments = parser.parse_args()
    make(arguments.output)
    if arguments.render:
        render(arguments.output)
