"""The festival engine as a program: the engine that training never hears, for honest evaluation.

Called by `voices` only. Optional. Each text is one run of the program, about half a second.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.errors import MissingDependencyError
from training.actor.flite import Segment

VOICES_FOLDERS: Final = (Path("/usr/share/festival/voices"), Path("/usr/local/share/festival/voices"))
FESTIVAL_VOICES: Final = ("ked_diphone", "kal_diphone")
LONGEST_RUN_S: Final = 120


def find_festival_voices() -> tuple[str, ...]:
    """The voices that are installed, without starting anything; `MissingDependencyError` if there are none."""
    present = {path.name for folder in VOICES_FOLDERS for path in folder.glob("*/*")}
    voices = tuple(name for name in FESTIVAL_VOICES if name in present)
    if shutil.which("festival") is None or not voices:
        raise MissingDependencyError(
            "The festival voices are missing; on Debian or Ubuntu: apt install festival festvox-kallpc16k festvox-kdlpc16k"
        )
    return voices


def speak_festival(text: str, name: str, *, pitch: float, rate: float) -> tuple[NDArray[np.int16], int, list[Segment]]:
    """Sound, its rate in Hz, and the segments in order; `pitch` and `rate` are factors around 1."""
    quoted = text.encode("ascii", errors="ignore").decode().replace("\\", "").replace('"', "")
    with tempfile.TemporaryDirectory(prefix="lpm-festival-") as folder:
        wave, script = Path(folder, "spoken.wav"), Path(folder, "speak.scm")
        script.write_text(
            f"""(voice_{name})
            (Parameter.set 'Duration_Stretch {1.0 / rate:.3f})
            (set! int_lr_params '((target_f0_mean {105 * pitch:.1f}) (target_f0_std 15) (model_f0_mean 170) (model_f0_std 34)))
            (set! spoken (utt.synth (Utterance Text "{quoted}")))
            (utt.save.wave spoken "{wave}" 'riff)
            (mapcar (lambda (s) (format t "segment %s %f %s\\n"
                (item.name s) (item.feat s "end") (item.feat s "R:SylStructure.parent.stress")))
              (utt.relation.items spoken 'Segment))
            """,
            encoding="ascii",
        )
        command = ["festival", "-b", str(script)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_RUN_S, check=True)
            sound, rate_hz = soundfile.read(wave, dtype="int16")
        except (OSError, subprocess.SubprocessError, soundfile.LibsndfileError) as error:
            raise MissingDependencyError(f"festival cannot speak here ({error}); reinstall festival.") from error
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("segment ")]
    return sound, int(rate_hz), [Segment(name=w[1], end_s=float(w[2]), is_stressed=w[3] == "1") for w in lines]
