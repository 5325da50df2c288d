"""The festival engine as one long-lived process: the engine that training never hears, for honest evaluation.

Called by `voices` only. Optional. One process a Python process; it ends with it.
"""

import atexit
import functools
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.errors import MissingDependencyError
from training.actor.flite import Segment

VOICES_FOLDERS: Final = (Path("/usr/share/festival/voices"), Path("/usr/local/share/festival/voices"))
FESTIVAL_VOICES: Final = ("ked_diphone", "kal_diphone")
_DONE: Final = "spoken"


@dataclass(frozen=True, kw_only=True)
class Festival:
    """The running process and the folder through which it hands over its sound."""

    process: subprocess.Popen[str]
    folder: Path

    def speak(self, text: str, name: str, *, pitch: float, rate: float) -> tuple[NDArray[np.int16], int, list[Segment]]:
        """Sound, its rate in Hz, and the segments in order; `pitch` and `rate` are factors around 1."""
        wave = self.folder / "spoken.wav"
        quoted = text.encode("ascii", errors="ignore").decode().replace("\\", "").replace('"', "")
        command = f"""
            (voice_{name})
            (Parameter.set 'Duration_Stretch {1.0 / rate:.3f})
            (set! int_lr_params '((target_f0_mean {105 * pitch:.1f}) (target_f0_std 15) (model_f0_mean 170) (model_f0_std 34)))
            (set! spoken (utt.synth (Utterance Text "{quoted}")))
            (utt.save.wave spoken "{wave}" 'riff)
            (mapcar (lambda (s) (format t "segment %s %f %s\\n"
                (item.name s) (item.feat s "end") (item.feat s "R:SylStructure.parent.stress")))
              (utt.relation.items spoken 'Segment))
            (format t "{_DONE}\\n")
        """
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(command)
        self.process.stdin.flush()
        segments: list[Segment] = []
        for line in self.process.stdout:
            words = line.split()
            if words[:1] == ["segment"]:
                segments.append(Segment(name=words[1], end_s=float(words[2]), is_stressed=words[3] == "1"))
            if words == [_DONE]:
                sound, rate_hz = soundfile.read(wave, dtype="int16")
                return sound, int(rate_hz), segments
        raise MissingDependencyError("festival stopped while it spoke; run `festival --pipe` by hand to see why.")

    def close(self) -> None:
        """Ends the process and removes its folder."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(timeout=5)
        shutil.rmtree(self.folder, ignore_errors=True)


def find_festival_voices() -> tuple[str, ...]:
    """The voices that are installed, without starting anything; `MissingDependencyError` if there are none."""
    present = {path.name for folder in VOICES_FOLDERS for path in folder.glob("*/*")}
    voices = tuple(name for name in FESTIVAL_VOICES if name in present)
    if shutil.which("festival") is None or not voices:
        raise MissingDependencyError(
            "The festival voices are missing; on Debian or Ubuntu: apt install festival festvox-kallpc16k festvox-kdlpc16k"
        )
    return voices


@functools.cache
def open_festival() -> Festival:
    """Starts the process, once per Python process; `MissingDependencyError` if festival or its voices are not there."""
    find_festival_voices()
    process = subprocess.Popen(
        ["festival", "--pipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    festival = Festival(process=process, folder=Path(tempfile.mkdtemp(prefix="lpm-festival-")))
    atexit.register(festival.close)
    return festival
