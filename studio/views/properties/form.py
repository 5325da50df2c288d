"""The parts that property pages are made of: headings, named fields, quiet notes."""

from PySide6.QtWidgets import QAbstractSpinBox, QGridLayout, QLabel, QVBoxLayout, QWidget


def heading(text: str) -> QLabel:
    """The name of a page or a group."""
    label = QLabel(text)
    label.setProperty("title", True)
    label.setWordWrap(True)
    return label


def note(text: str = "") -> QLabel:
    """A quiet line that explains."""
    label = QLabel(text)
    label.setProperty("soft", True)
    label.setWordWrap(True)
    return label


def warning() -> QLabel:
    """A sentence that a person should read before going on."""
    label = QLabel()
    label.setProperty("warning", True)
    label.setWordWrap(True)
    return label


def inset(spin_box: QAbstractSpinBox) -> None:
    """Let the number begin where the words of other fields begin; the style sheet does not reach it."""
    spin_box.lineEdit().setTextMargins(8, 0, 8, 0)
    spin_box.setFixedHeight(28)


def fields(rows: list[tuple[str, QWidget]]) -> QGridLayout:
    """Names on the left, fields on the right, aligned."""
    grid = QGridLayout()
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(8)
    grid.setColumnMinimumWidth(0, 64)
    grid.setColumnStretch(1, 1)
    for row, (name, field) in enumerate(rows):
        label = QLabel(name)
        label.setProperty("soft", True)
        label.setBuddy(field)
        grid.addWidget(label, row, 0)
        grid.addWidget(field, row, 1)
    return grid


def page() -> tuple[QWidget, QVBoxLayout]:
    """An empty page and its layout."""
    widget = QWidget()
    widget.setObjectName("scrolled")
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(0, 0, 8, 0)
    layout.setSpacing(8)
    return widget, layout
