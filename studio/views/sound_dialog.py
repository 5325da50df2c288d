"""Asks which sounds shall be brought in."""

from pathlib import Path

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QFileDialog, QWidget

from studio.project.imports import SOUND_SUFFIXES


def ask_sounds_to_read(parent: QWidget, title: str) -> list[Path]:
    """The sounds that were picked; none where the person thinks better of it."""
    kind = QCoreApplication.translate("sound_dialog", "Sounds")
    pattern = " ".join(f"*{suffix}" for suffix in SOUND_SUFFIXES)
    names, _ = QFileDialog.getOpenFileNames(parent, title, "", f"{kind} ({pattern})")
    return [Path(name) for name in names]
