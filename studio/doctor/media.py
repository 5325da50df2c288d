"""Sound devices, screen, film encoders and text to speech. Called by `studio/doctor/examination.py`."""

import ctypes.util
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from typing import Final

from engine.errors import MissingDependencyError
from studio.doctor.findings import Finding, Status, found, system_package

_SCREEN_LIBRARIES: Final = {  # what Qt's window plugin opens, and the Debian package that holds it
    "EGL": "libegl1",
    "GL": "libgl1",
    "xkbcommon": "libxkbcommon0",
    "xkbcommon-x11": "libxkbcommon-x11-0",
    "fontconfig": "libfontconfig1",
    "dbus-1": "libdbus-1-3",
    "xcb-cursor": "libxcb-cursor0",
    "xcb-icccm": "libxcb-icccm4",
    "xcb-keysyms": "libxcb-keysyms1",
    "xcb-image": "libxcb-image0",
    "xcb-render-util": "libxcb-render-util0",
    "xcb-xkb": "libxcb-xkb1",
}


def examine() -> Iterator[Finding]:
    """Encoders, sound, screen, voices."""
    yield _picture_encoder()
    yield _sound_encoder()
    yield _sound_devices()
    yield _window_libraries()
    yield _screen()
    yield _voices()


def _picture_encoder() -> Finding:
    try:
        from engine.media.film import pick_h264_encoder

        return found("Film pictures", f"H.264 with {pick_h264_encoder()}", is_essential=True)
    except (ImportError, MissingDependencyError) as error:
        return _missing_av("Film pictures", error)


def _sound_encoder() -> Finding:
    try:
        import av

        av.Codec("aac", "w")
        return found("Film sound", f"AAC, PyAV {av.__version__}", is_essential=True)
    except (ImportError, ValueError) as error:
        return _missing_av("Film sound", error)


def _missing_av(name: str, error: Exception) -> Finding:
    mend = "python -m pip install --force-reinstall av"
    return Finding(name=name, status=Status.MISSING, detail=f"no encoder: {error}", mend=mend, is_essential=True)


def _sound_devices() -> Finding:
    mend = system_package("libportaudio2", "python -m pip install --force-reinstall sounddevice")
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        return Finding(name="Sound devices", status=Status.MISSING, detail=f"films play silently: {error}", mend=mend)
    try:
        devices = list(sounddevice.query_devices())
    except sounddevice.PortAudioError as error:
        return Finding(name="Sound devices", status=Status.WARN, detail=f"they cannot be listed: {error}")
    outputs = sum(device["max_output_channels"] > 0 for device in devices)
    inputs = sum(device["max_input_channels"] > 0 for device in devices)
    if not outputs:
        detail = "no loudspeaker is known to the system; films are made all the same"
        return Finding(name="Sound devices", status=Status.WARN, detail=detail, mend="connect one, then start again")
    return found("Sound devices", f"{outputs} for playing, {inputs} for recording")


def _window_libraries() -> Finding:
    if importlib.util.find_spec("PySide6") is None:
        mend = "python -m pip install PySide6-Essentials"
        return Finding(name="Window", status=Status.MISSING, detail="PySide6 is not installed", mend=mend)
    if sys.platform.startswith("linux"):
        lacking = [package for library, package in _SCREEN_LIBRARIES.items() if not ctypes.util.find_library(library)]
        if lacking:
            mend = system_package(" ".join(lacking), "")
            detail = f"{len(lacking)} system libraries are missing"
            return Finding(name="Window", status=Status.MISSING, detail=detail, mend=mend)
    return found("Window", "Qt and the libraries it needs")


def _screen() -> Finding:
    if not sys.platform.startswith("linux"):
        return found("Screen", sys.platform)
    for variable in ("WAYLAND_DISPLAY", "DISPLAY"):
        if os.environ.get(variable):
            return found("Screen", f"{variable} is {os.environ[variable]}")
    mend = "log in at a desktop; without one use lpm perform and lpm render"
    return Finding(name="Screen", status=Status.WARN, detail="none: the window cannot open", mend=mend)


def _voices() -> Finding:
    engines = []
    if importlib.util.find_spec("espeakng_loader") is not None:
        engines.append("espeak-ng")
    engines += [program for program in ("flite", "text2wave") if shutil.which(program)]
    if not engines:
        mend = "python -m pip install espeakng-loader"
        detail = "none: films need none, training data does"
        return Finding(name="Text to speech", status=Status.WARN, detail=detail, mend=mend)
    return found("Text to speech", ", ".join(engines))
