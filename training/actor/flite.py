"""The flite engine through its shared libraries: voices cut or learned from recordings of real people, with phone times.

Called by `voices` only. Optional: a machine without the libraries simply has fewer voices. Not to be called from two threads.
"""

import ctypes
import ctypes.util
import functools
import sys
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import MissingDependencyError

FLITE_VOICES: Final = ("kal", "kal16", "awb", "rms", "slt")
# The pitch at which each voice was recorded, and the rate that suits it.
_PITCH_HZ: Final = {"kal": 105.0, "kal16": 105.0, "awb": 125.0, "rms": 105.0, "slt": 185.0}


class _Wave(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_char_p),
        ("rate_hz", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    ]


class _Voice(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("features", ctypes.c_void_p)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A phone of the American dictionary and the time at which it ends."""

    name: str
    end_s: float
    is_stressed: bool


@dataclass(frozen=True, kw_only=True)
class Flite:
    """The opened library and its voices by name."""

    library: Any
    voices: dict[str, int] = field(default_factory=dict)

    def speak(self, text: str, name: str, *, pitch: float, rate: float) -> tuple[NDArray[np.int16], int, list[Segment]]:
        """Sound, its rate in Hz, and the segments in order; `pitch` and `rate` are factors around 1."""
        library, voice = self.library, self.voices[name]
        features = ctypes.cast(voice, ctypes.POINTER(_Voice)).contents.features
        library.feat_set_float(features, b"duration_stretch", 1.0 / rate)
        library.feat_set_float(features, b"int_f0_target_mean", _PITCH_HZ[name] * pitch)
        # The voices' breath is noise from C's generator, which everybody shares: start it anew for the same sound each time.
        ctypes.CDLL(None).srand(1)
        utterance = library.flite_synth_text(text.encode("ascii", errors="ignore"), voice)
        if not utterance:
            raise MissingDependencyError(f"flite's voice {name!r} cannot speak here; reinstall flite.")
        wave = library.utt_wave(utterance).contents
        sound = np.ctypeslib.as_array(wave.samples, (max(wave.num_samples, 0),)).copy()
        rate_hz = int(wave.rate_hz)
        segments = self._segments(utterance)
        library.delete_utterance(utterance)
        return sound, rate_hz, segments

    def _segments(self, utterance: int) -> list[Segment]:
        library = self.library
        item = library.relation_head(library.utt_relation(utterance, b"Segment"))
        segments: list[Segment] = []
        while item:
            stress = library.ffeature_string(item, b"R:SylStructure.parent.stress")
            name = library.item_feat_string(item, b"name").decode()
            end_s = float(library.item_feat_float(item, b"end"))
            segments.append(Segment(name=name, end_s=end_s, is_stressed=stress == b"1"))
            item = library.item_next(item)
        return segments


def _open(name: str, mode: int) -> Any:
    """Opens one of flite's libraries by its name without prefix and ending; OSError if it is nowhere."""
    ending = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so.1")
    for candidate in (f"lib{name}{ending}", ctypes.util.find_library(name)):
        if candidate:
            try:
                return ctypes.CDLL(candidate, mode=mode)
            except OSError:
                continue
    raise OSError(f"no library {name}")


@functools.cache
def open_flite() -> Flite:
    """Opens the libraries, once per process; `MissingDependencyError` if they are not there."""
    try:
        library = _open("flite", ctypes.RTLD_GLOBAL)
        for name in ("flite_usenglish", "flite_cmulex"):
            _open(name, ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise MissingDependencyError(
            "The flite voices are missing; on Debian or Ubuntu: apt install libflite1"
        ) from error
    _declare(library)
    library.flite_init()
    voices: dict[str, int] = {}
    for name in FLITE_VOICES:
        try:
            # Voices of the same speaker share names of symbols: each must keep its own.
            register = getattr(_open(f"flite_cmu_us_{name}", ctypes.RTLD_LOCAL), f"register_cmu_us_{name}")
        except (OSError, AttributeError):
            continue
        register.restype, register.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
        voices[name] = register(None)
    if not voices:
        raise MissingDependencyError(
            "flite is installed without its voices; on Debian or Ubuntu: apt install libflite1"
        )
    return Flite(library=library, voices=voices)


def _declare(library: Any) -> None:
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    for name, result, arguments in (
        ("flite_synth_text", pointer, [text, pointer]),
        ("utt_relation", pointer, [pointer, text]),
        ("relation_head", pointer, [pointer]),
        ("item_next", pointer, [pointer]),
        ("item_feat_string", text, [pointer, text]),
        ("item_feat_float", ctypes.c_float, [pointer, text]),
        ("ffeature_string", text, [pointer, text]),
        ("utt_wave", ctypes.POINTER(_Wave), [pointer]),
        ("delete_utterance", None, [pointer]),
        ("feat_set_float", None, [pointer, text, ctypes.c_float]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
