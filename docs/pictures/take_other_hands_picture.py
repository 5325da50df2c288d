"""Three portraits that the actor never drew, talking and feeling: `python docs/pictures/take_other_hands_picture.py other-hands.png`.

Flat shapes in the manner of vector drawings, one picture a character and nothing else. A row for each: the portrait, two frames of a film
in which it talks happily, and one of each film in which it feels something else.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine import PerformJob, PromptSpan, load_pack, perform
from engine.characters import Character, Reference, ReferenceKind
from training.actor.voices import Manner, Voice, speak

Colour = tuple[int, int, int]
SIZE_PX, FINER, TILE_PX, NUM_FRAMES = 192, 8, 256, 48
TALKING = (20, 40)
FEELINGS = ("is very sad", "is very angry", "is very surprised", "is very afraid")
FELT = 40
WHITE, BLACK, LIPS = (255, 255, 255), (10, 10, 10), (150, 60, 60)
# Background, skin, hair, clothes, eyes.
PALETTES: tuple[tuple[Colour, Colour, Colour, Colour, Colour], ...] = (
    ((200, 215, 235), (236, 188, 150), (60, 40, 30), (180, 60, 60), (60, 90, 140)),
    ((240, 225, 200), (150, 105, 80), (30, 25, 40), (60, 120, 110), (40, 60, 30)),
    ((215, 235, 215), (250, 220, 200), (210, 170, 80), (90, 90, 160), (90, 130, 90)),
)


def portrait(background: Colour, skin: Colour, hair: Colour, clothes: Colour, eyes: Colour) -> NDArray[np.uint8]:
    """A head and shoulders, uint8 RGB."""
    picture_HWC = np.full((FINER * SIZE_PX, FINER * SIZE_PX, 3), background, np.uint8)

    def at(x: int, y: int) -> tuple[int, int]:
        return FINER * x, FINER * y

    def oval(x: int, y: int, across: int, down: int, colour: Colour, start: int = 0, end: int = 360) -> None:
        cv2.ellipse(picture_HWC, at(x, y), at(across, down), 0, start, end, colour, -1, cv2.LINE_AA)

    def stroke(x: int, y: int, to_x: int, to_y: int, colour: Colour, width: int) -> None:
        cv2.line(picture_HWC, at(x, y), at(to_x, to_y), colour, FINER * width, cv2.LINE_AA)

    shade = (int(0.85 * skin[0]), int(0.85 * skin[1]), int(0.85 * skin[2]))
    oval(96, 200, 70, 50, clothes)
    cv2.rectangle(picture_HWC, at(84, 130), at(108, 165), shade, -1)
    oval(96, 84, 50, 54, hair)
    oval(96, 98, 40, 48, skin)
    oval(96, 64, 42, 24, hair, 180, 360)
    for side in (-1, 1):
        for across, down, colour in ((8, 6, WHITE), (4, 4, eyes), (2, 2, BLACK)):
            oval(96 + 17 * side, 92, across, down, colour)
        stroke(96 + 9 * side, 80, 96 + 26 * side, 79, hair, 3)
    stroke(96, 98, 93, 112, shade, 2)
    stroke(84, 126, 108, 126, LIPS, 3)
    return picture_HWC


def main(target: Path) -> None:
    """All rows in one picture."""
    pack = load_pack("lpm-tiny")
    voice = Voice(engine="espeak", name="en-us+m3")
    line_S = speak("Hello there! My name is Bob and I am very happy to meet you.", voice, Manner()).sound_S
    line_S = 0.6 * line_S / np.abs(line_S).max()

    def film(picture_HWC: NDArray[np.uint8], text: str, speak_S: NDArray[np.float32] | None) -> NDArray[np.uint8]:
        reference = Reference(kind=ReferenceKind.GLOBAL, subtype="", picture_HWC=picture_HWC, path=Path("portrait.png"))
        job = PerformJob(
            character=Character(name="portrait", description="", references=(reference,)),
            num_frames=NUM_FRAMES,
            speak_S=speak_S,
            prompts=(PromptSpan(start_frame=0, end_frame=NUM_FRAMES, text=text),),
            seed=1,
        )
        return np.concatenate([piece.frames_THWC for piece in perform(pack, job)])

    rows = []
    for palette in PALETTES:
        picture_HWC = portrait(*palette)
        talking_THWC = film(picture_HWC, "talks happily", line_S[: NUM_FRAMES * 1000])
        felt = [film(picture_HWC, text, None)[FELT] for text in FEELINGS]
        rows.append(np.hstack([tile(each_HWC) for each_HWC in (picture_HWC, *talking_THWC[list(TALKING)], *felt)]))
    cv2.imwrite(str(target), np.vstack(rows)[:, :, ::-1])


def tile(picture_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture as large as it is shown here."""
    return cv2.resize(picture_HWC, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA).astype(np.uint8)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
