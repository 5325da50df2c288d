"""One clip of the actor with everything that is known about it, and its files in open formats.

Called by `lpm actor clip` and by whoever wants to look at the training data. Training itself draws what it needs and writes
nothing. The keys of the JSON file are described in docs/clip_format.md.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInputError
from engine.media.film import FilmWriter
from engine.media.film_sound import FilmSound
from engine.media.pictures import write_picture
from engine.media.sound import write_wav
from engine.media.whole_files import write_text_file
from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ
from training.actor.contact_sheet import contact_sheet
from training.actor.directions import LABEL_NAMES, ClipKind
from training.actor.draw import draw_film
from training.actor.identity import Identity, identity_vector, sample_identity
from training.actor.keypoints import KEYPOINT_NAMES, keypoints
from training.actor.performance import Performance, perform_clip
from training.actor.references import draw_references
from training.actor.state import EXPRESSIONS, STATE_CHANNELS
from training.actor.visemes import VISEME_NAMES
from training.actor.voices import VoicePool

FORMAT: Final = "lpm-actor-clip/1"
ACTOR_LEVEL: Final = 1


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Frames, tracks, captions and truth of one performance by one character."""

    performance: Performance
    identity: Identity
    frames_THWC: NDArray[np.uint8]
    references: dict[str, NDArray[np.uint8]]
    keypoints_TP2: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Checks that picture, sound and truth have the same length."""
        num_frames = self.performance.num_frames
        if len(self.frames_THWC) != num_frames or len(self.keypoints_TP2) != num_frames:
            raise ValueError(f"{len(self.frames_THWC)} frames for a performance of {num_frames}")


def make_clip(seed: int, num_frames: int, kind: ClipKind, voices: VoicePool, size_px: int) -> Clip:
    """Performs and draws a clip; the character is the one of the same seed."""
    performance = perform_clip(seed, num_frames, kind, voices)
    identity = sample_identity(seed)
    return Clip(
        performance=performance,
        identity=identity,
        frames_THWC=draw_film(identity, performance.state_TK, size_px),
        references=draw_references(identity, size_px),
        keypoints_TP2=np.stack([keypoints(identity, state_K) for state_K in performance.state_TK]),
    )


def write_clip(clip: Clip, folder: Path) -> list[Path]:
    """Writes clip.mp4, speak.wav, listen.wav, clip.json, contact_sheet.png and references/*.png; returns their paths."""
    performance = clip.performance
    try:
        (folder / "references").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"{folder}: the folder cannot be made ({error.strerror}); choose another one") from error
    film, record, sheet = folder / "clip.mp4", folder / "clip.json", folder / "contact_sheet.png"
    sound = FilmSound(
        speak_S=performance.speak_S if performance.speak_S.any() else None,
        listen_S=performance.listen_S if performance.listen_S.any() else None,
    )
    with FilmWriter(film, size_px=clip.frames_THWC.shape[1], sound=sound) as writer:
        writer.append(clip.frames_THWC)
        writer.commit()
    written = [film]
    for name, sound_S in (("speak", performance.speak_S), ("listen", performance.listen_S)):
        write_wav(folder / f"{name}.wav", sound_S)
        written.append(folder / f"{name}.wav")
    for name, picture_HWC in clip.references.items():
        write_picture(folder / "references" / f"{name}.png", picture_HWC)
        written.append(folder / "references" / f"{name}.png")
    write_picture(sheet, contact_sheet(clip.frames_THWC, clip.references, performance))
    write_text_file(record, json.dumps(clip_record(clip), indent=1, ensure_ascii=False) + "\n")
    return [*written, sheet, record]


def clip_record(clip: Clip) -> dict[str, Any]:
    """Everything about a clip that is not picture or sound, as plain JSON values."""
    performance = clip.performance
    return {
        "format": FORMAT,
        "actor_level": ACTOR_LEVEL,
        "origin": "synthetic",
        "seed": performance.seed,
        "kind": performance.kind,
        "num_frames": performance.num_frames,
        "frame_rate_hz": FRAME_RATE_HZ,
        "sound_rate_hz": SOUND_RATE_HZ,
        "size_px": int(clip.frames_THWC.shape[1]),
        "speak_voice": performance.speak_voice,
        "listen_voice": performance.listen_voice,
        "text": performance.text,
        "captions": [asdict(span) for span in performance.captions],
        "directions": [asdict(direction) for direction in performance.directions],
        "direction_label_names": list(LABEL_NAMES),
        "direction_labels": _rounded(performance.labels),
        "listening_events": [asdict(event) for event in performance.listening_events],
        "identity": asdict(clip.identity),
        "identity_vector": _rounded(identity_vector(clip.identity)),
        "references": {name: f"references/{name}.png" for name in clip.references},
        "state_channels": list(STATE_CHANNELS),
        "state": _rounded(performance.state_TK),
        "expression_names": list(EXPRESSIONS),
        "expression": performance.expression_T.tolist(),
        "viseme_names": list(VISEME_NAMES),
        "viseme": performance.viseme_T.tolist(),
        "is_speaking": performance.is_speaking_T.tolist(),
        "keypoint_names": list(KEYPOINT_NAMES),
        "keypoints": _rounded(clip.keypoints_TP2),
    }


def _rounded(values: NDArray[np.float32]) -> Any:
    """Nested lists with four decimals, which is finer than anything drawn."""
    return np.round(values.astype(np.float64), 4).tolist()
