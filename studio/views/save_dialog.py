"""Asks where a file shall be written, and never lets one be replaced unasked."""

from pathlib import Path

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget


def ask_path_to_write(parent: QWidget, title: str, start: Path, kind: str, suffix: str) -> Path | None:
    """A path that ends in `suffix`; None where the person thinks better of it. `kind` is what such files are called.

    The dialog asks before a file is replaced, but of the name as it was typed: where the suffix is put behind it only now, another
    file may be meant, and then this asks.
    """
    name, _ = QFileDialog.getSaveFileName(parent, title, str(start), f"{kind} (*{suffix})")
    if not name:
        return None
    typed = Path(name)
    path = typed if typed.suffix.lower() == suffix else typed.with_name(typed.name + suffix)
    return path if path == typed or not path.exists() or _may_replace(parent, path) else None


def _may_replace(parent: QWidget, path: Path) -> bool:
    question = QCoreApplication.translate("save_dialog", "{name} exists already. Replace it?").format(name=path.name)
    title = QCoreApplication.translate("save_dialog", "Replace file")
    buttons = QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.Cancel
    answer = QMessageBox.question(parent, title, question, buttons, QMessageBox.StandardButton.Cancel)
    return answer == QMessageBox.StandardButton.Yes
