"""The espeak-ng engine through its shared library: sound and exact phoneme times, hundreds of times faster than real time.

Called by the actor's voices, which make training data, and by the studio's typed answers. The library keeps one global state: it is
opened once per process and must not be called from two threads at once.
"""

import _ctypes
import ctypes
import functools
import sys
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import MissingDependencyError

_OUTPUT_SYNCHRONOUS: Final = 2
_PHONEME_EVENTS_IN_IPA: Final = 0x01 | 0x02
_DO_NOT_EXIT: Final = 0x8000
_CHARS_UTF8: Final = 1
_EVENT_END_OF_LIST: Final = 0
_EVENT_PHONEME: Final = 7
_PARAMETER_RATE: Final = 1
_PARAMETER_PITCH: Final = 3
_PARAMETER_RANGE: Final = 4
_NOISE_SEED: Final = 1


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(kw_only=True)
class Espeak:
    """The opened library; `pieces` and `events` fill while it speaks."""

    library: Any = None
    rate_hz: int = 0
    pieces: list[NDArray[np.int16]] = field(default_factory=list)
    events: list[tuple[int, str]] = field(default_factory=list)
    callback: Any = None

    def collect(self, samples: Any, num_samples: int, events: Any) -> int:
        """Receives sound and events from the library; 0 asks it to go on."""
        if samples and num_samples > 0:
            self.pieces.append(np.ctypeslib.as_array(samples, (num_samples,)).copy())
        index = 0
        while events[index].type != _EVENT_END_OF_LIST:
            if events[index].type == _EVENT_PHONEME:
                name = bytes(events[index].id.string).decode("utf-8", errors="ignore")
                self.events.append((int(events[index].sample), name))
            index += 1
        return 0

    def set_voice(self, name: str) -> bool:
        """Chooses a voice such as "en-us+f2"; False if this build has no such voice."""
        return int(self.library.espeak_SetVoiceByName(name.encode())) == 0

    def speak(
        self, text: str, voice: str, *, pitch: int, pitch_range: int, words_per_minute: int
    ) -> tuple[NDArray[np.int16], list[tuple[int, str]]]:
        """Sound at `rate_hz` and (start sample, IPA) of each phoneme; an empty name is a pause."""
        self.restart()
        if not self.set_voice(voice):
            raise MissingDependencyError(f"espeak-ng has no voice {voice!r} here; update the package espeakng-loader.")
        for parameter, value in (
            (_PARAMETER_RATE, words_per_minute),
            (_PARAMETER_PITCH, pitch),
            (_PARAMETER_RANGE, pitch_range),
        ):
            self.library.espeak_SetParameter(parameter, value, 0)
        self.pieces.clear()
        self.events.clear()
        raw = text.encode("utf-8")
        self.library.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, _CHARS_UTF8, None, None)
        sound = np.concatenate(self.pieces) if self.pieces else np.zeros(0, np.int16)
        return sound, list(self.events)

    def restart(self) -> None:
        """Loads the library anew, in under a millisecond: it carries the state of its voice from text to text.

        Nothing in its interface resets that state, and the same text must give the same sound.
        """
        self.library.espeak_Terminate()
        handle = self.library._handle
        self.library = None
        if sys.platform == "win32":
            _ctypes.FreeLibrary(handle)
        else:
            _ctypes.dlclose(handle)
        self.start()

    def start(self) -> None:
        """Loads the library and its data; `MissingDependencyError` if either is not there."""
        library_path, data_path = _find_library()
        try:
            library = ctypes.CDLL(library_path)
        except OSError as error:
            raise MissingDependencyError(f"The espeak-ng library cannot be opened: {error}") from error
        options = _PHONEME_EVENTS_IN_IPA | _DO_NOT_EXIT
        self.rate_hz = int(library.espeak_Initialize(_OUTPUT_SYNCHRONOUS, 0, data_path.encode(), options))
        if self.rate_hz <= 0:
            raise MissingDependencyError("The espeak-ng library finds no voice data; reinstall espeakng-loader.")
        if hasattr(library, "espeak_ng_SetRandSeed"):  # else the noise in a voice is drawn by the second of the clock
            library.espeak_ng_SetRandSeed(ctypes.c_long(_NOISE_SEED))
        library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        library.espeak_SetSynthCallback(self.callback)
        self.library = library


def _find_library() -> tuple[str, str]:
    try:
        import espeakng_loader
    except ImportError as error:
        hint = "The espeak-ng voices are missing; install them with: pip install espeakng-loader"
        raise MissingDependencyError(hint) from error
    return str(espeakng_loader.get_library_path()), str(espeakng_loader.get_data_path())


@functools.cache
def open_espeak() -> Espeak:
    """Opens the library, once per process; `MissingDependencyError` if it is not there."""
    espeak = Espeak()
    espeak.callback = _Callback(espeak.collect)
    espeak.start()
    return espeak
