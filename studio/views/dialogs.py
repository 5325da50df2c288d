"""The small dialogs: preferences, keys, about, and the offer of a copy."""

from pathlib import Path
from typing import Final

from PySide6.QtCore import QCoreApplication, QSize, Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from studio.settings import Settings
from studio.theme.icons import icon_pixmap
from studio.theme.look import Look, LookChoice
from studio.views.actions import key_lines
from studio.views.properties.form import fields, heading, note

KEYS_LEAST_PX: Final = 120


def _dialog(parent: QWidget | None, title: str) -> tuple[QDialog, QVBoxLayout]:
    dialog = QDialog(parent)
    dialog.setWindowTitle(title)
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(24, 24, 24, 16)
    layout.setSpacing(16)
    return dialog, layout


def _add_close(dialog: QDialog, layout: QVBoxLayout) -> None:
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    layout.addWidget(buttons)


def preferences_dialog(parent: QWidget, look: Look, settings: Settings) -> QDialog:
    """Light or dark; a change holds at once."""
    dialog, layout = _dialog(parent, parent.tr("Preferences"))
    choices = QComboBox()
    names = {
        LookChoice.SYSTEM: parent.tr("As the system"),
        LookChoice.DARK: parent.tr("Dark"),
        LookChoice.LIGHT: parent.tr("Light"),
    }
    for choice, name in names.items():
        choices.addItem(name, choice.value)
    choices.setCurrentIndex(list(names).index(look.choice))
    choices.setAccessibleName(parent.tr("Appearance"))
    choices.setMinimumWidth(200)

    def choose(index: int) -> None:
        settings.look = list(names)[index]
        look.choose(settings.look)

    choices.activated.connect(choose)
    layout.addLayout(fields([(parent.tr("Appearance"), choices)]))
    layout.addWidget(note(parent.tr("Projects are saved by themselves after every edit.")))
    _add_close(dialog, layout)
    return dialog


def keys_dialog(parent: QWidget) -> QDialog:
    """All keys in two columns."""
    dialog, layout = _dialog(parent, parent.tr("Keys"))
    grid = QGridLayout()
    grid.setHorizontalSpacing(24)
    grid.setVerticalSpacing(6)
    for column in (1, 3):
        grid.setColumnMinimumWidth(column, KEYS_LEAST_PX)  # longer ones widen it
    lines = key_lines()
    half = -(-len(lines) // 2)
    for place, (text, key) in enumerate(lines):
        column = 0 if place < half else 2
        name = QLabel(text)
        name.setProperty("soft", True)
        keys = QLabel(key)
        grid.addWidget(name, place % half, column)
        grid.addWidget(keys, place % half, column + 1)
    layout.addLayout(grid)
    _add_close(dialog, layout)
    return dialog


def about_dialog(parent: QWidget) -> QDialog:
    """What this is."""
    dialog, layout = _dialog(parent, parent.tr("About LPM Studio"))
    line = QHBoxLayout()
    line.setSpacing(16)
    logo = QLabel()
    logo.setPixmap(icon_pixmap("lpm-studio", "#ffffff", 64, parent.devicePixelRatioF()))
    logo.setFixedSize(QSize(64, 64))
    line.addWidget(logo, 0, Qt.AlignmentFlag.AlignTop)
    words = QVBoxLayout()
    words.setSpacing(8)
    words.addWidget(heading(f"LPM Studio {QCoreApplication.applicationVersion()}".rstrip()))
    words.addWidget(
        note(parent.tr("Characters that speak and listen, performed by a model on this machine. Apache License 2.0."))
    )
    words.addStretch(1)
    line.addLayout(words, 1)
    layout.addLayout(line)
    _add_close(dialog, layout)
    dialog.setMinimumWidth(420)
    return dialog


def copy_dialog(parent: QWidget | None, project: Path) -> QDialog:
    """Says that a project is open in another studio; accepted where a copy shall be opened instead."""
    dialog, layout = _dialog(parent, QCoreApplication.translate("dialogs", "Open project"))
    layout.addWidget(heading(dialog.tr("{name} is open in another LPM Studio").format(name=project.name)))
    words = dialog.tr(
        "Two windows would overwrite each other's edits. Close it there, or open a copy here:"
        " it begins as the project is now, and goes its own way."
    )
    layout.addWidget(note(words))
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
    copy = buttons.addButton(dialog.tr("Open a copy"), QDialogButtonBox.ButtonRole.AcceptRole)
    copy.setObjectName("primary")
    copy.setDefault(True)
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    layout.addWidget(buttons)
    dialog.setMinimumWidth(480)
    return dialog
