"""Twenty seconds of six characters, by the base model and by the causal pair: `python docs/films/make_films.py [NAME ...]`.

Each hears a partner, answers, ends in a mood of its own and turns round. Both voices are text to speech. Writes a film for each
character and engine beside itself, and `sheet.jpg`: a row for each film, a frame every two seconds.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import soundfile
from numpy.typing import NDArray

from training.actor.voices import Manner, Voice, speak

HERE = Path(__file__).resolve().parent
ENGINES = ("base", "online")
SECONDS, RATE_HZ, FRAMES_PER_SECOND = 20.0, 24_000, 24
SHEET_STEP_S, SHEET_PX = 2.0, 128
PARTNER_LINES = (
    (1.0, "I got the job! They called me this morning. I can hardly believe it."),
    (15.5, "Next Monday, I think."),
)
OWN_LINES = (
    (7.0, "That is wonderful news! I knew that you would make it."),
    (11.5, "When do you start? Tell me everything, and do not leave anything out."),
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A character, its voice, its partner's, and what it is directed to do from second 15 on and in its last two and a half."""

    name: str
    voice: str
    partner: str
    ending: str
    turn: str


PARTS = (
    Part(name="amara", voice="en-us+f2", partner="en-us+m3", ending="laughs happily", turn="turns her back to us"),
    Part(name="finn", voice="en-us+m1", partner="en-us+f4", ending="is sad and looks down", turn="turns around"),
    Part(
        name="iris",
        voice="en-us+f3",
        partner="en-us+m2",
        ending="is surprised, raises the brows",
        turn="in profile, facing left",
    ),
    Part(name="nora", voice="en-us+f4", partner="en-us+m4", ending="is angry", turn="turns her back to us"),
    Part(
        name="omar",
        voice="en-us+m3",
        partner="en-us+f3",
        ending="tilts the head to the left and smiles",
        turn="in profile, facing right",
    ),
    Part(
        name="samuel",
        voice="en-us+m5",
        partner="en-us+f1",
        ending="looks to the right, thoughtful",
        turn="turns around",
    ),
)


def track(lines: tuple[tuple[float, str], ...], voice: str) -> NDArray[np.float32]:
    """Lines at their seconds, as one track."""
    sound_S = np.zeros(int(SECONDS * RATE_HZ), np.float32)
    for start_s, text in lines:
        line_S = speak(text, Voice(engine="espeak", name=voice), Manner()).sound_S
        start = int(start_s * RATE_HZ)
        line_S = line_S[: len(sound_S) - start]
        sound_S[start : start + len(line_S)] = 0.8 * line_S / np.abs(line_S).max()
    return sound_S


def make(part: Part) -> None:
    """Both films of a character."""
    spans = (
        (0, 6, "listens with interest"),
        (6, 15, "talks cheerfully, happy"),
        (15, 17.5, part.ending),
        (17.5, SECONDS, part.turn),
    )
    prompts = [
        {"start_frame": int(start * FRAMES_PER_SECOND), "end_frame": int(end * FRAMES_PER_SECOND), "text": text}
        for start, end, text in spans
    ]
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        soundfile.write(folder / "speak.wav", track(OWN_LINES, part.voice), RATE_HZ)
        soundfile.write(folder / "listen.wav", track(PARTNER_LINES, part.partner), RATE_HZ)
        (folder / "prompts.json").write_text(json.dumps(prompts))
        for engine in ENGINES:
            asked = ["perform", "--character", part.name, "--engine", engine, "--seconds", str(SECONDS)]
            asked += ["--speak", str(folder / "speak.wav"), "--listen", str(folder / "listen.wav")]
            asked += ["--prompts", str(folder / "prompts.json"), "--work", str(folder / "parts")]
            subprocess.run([sys.executable, "-m", "studio.cli", *asked, "-o", str(film_of(part, engine))], check=True)


def film_of(part: Part, engine: str) -> Path:
    """Where a film lies."""
    return HERE / f"{part.name}-{engine}.mp4"


def strip(path: Path) -> NDArray[np.uint8]:
    """A frame every two seconds, side by side."""
    step = int(SHEET_STEP_S * FRAMES_PER_SECOND)
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    small = [
        cv2.resize(frame, (SHEET_PX, SHEET_PX), interpolation=cv2.INTER_AREA) for frame in frames[step // 2 :: step]
    ]
    return np.concatenate(small, axis=1)


if __name__ == "__main__":
    names = sys.argv[1:] or [part.name for part in PARTS]
    for chosen in PARTS:
        if chosen.name in names:
            make(chosen)
    made = [film_of(part, engine) for part in PARTS for engine in ENGINES if film_of(part, engine).exists()]
    cv2.imwrite(str(HERE / "sheet.jpg"), np.concatenate([strip(path) for path in made]), [cv2.IMWRITE_JPEG_QUALITY, 85])
