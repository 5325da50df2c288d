"""The style sheet: one text with the names of colours in it, on a grid of 8 pixels. Called by `Look` only."""

from dataclasses import asdict
from string import Template
from typing import Final

from engine.locations import assets_dir
from studio.theme.colors import Colors

_SHEET: Final = Template("""
* { outline: none; }
QMainWindow, QDialog { background: $window; }
QWidget#panel, QWidget#topBar { background: $panel; border: none; }
QWidget#panel { border-radius: 8px; }
QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }
QLabel { color: $text; background: transparent; }
QLabel[soft="true"] { color: $text_soft; }
QLabel[heading="true"] { color: $text_soft; font-weight: 600; letter-spacing: 0.4px; }
QLabel[title="true"] { font-size: 15px; font-weight: 600; }
QLabel[mono="true"] { font-family: "JetBrains Mono", "SF Mono", Consolas, "DejaVu Sans Mono", monospace; font-size: 12px; }
QLabel[warning="true"] { background: $raised; border-left: 3px solid $stale; border-radius: 3px; padding: 8px 10px; }
QLabel[badge="true"] { background: $raised; color: $text_soft; border-radius: 8px; padding: 2px 8px; }

QMenuBar { background: $panel; color: $text_soft; padding: 0 8px; border: none; }
QMenuBar::item { padding: 4px 10px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected { background: $hover; color: $text; }
QMenu { background: $raised; color: $text; border: 1px solid $edge_soft; border-radius: 8px; padding: 6px; }
QMenu::item { padding: 6px 28px 6px 12px; border-radius: 4px; }
QMenu::item:selected { background: $accent; color: $on_accent; }
QMenu::item:disabled { color: $text_faint; background: transparent; }
QMenu::separator { height: 1px; background: $edge_soft; margin: 6px 8px; }
QToolTip { background: $raised; color: $text; border: 1px solid $edge_soft; padding: 4px 8px; }

QPushButton, QToolButton { color: $text; background: $raised; border: 1px solid $edge_soft; border-radius: 6px; }
QPushButton { padding: 6px 14px; min-height: 18px; }
QPushButton:hover, QToolButton:hover { background: $hover; }
QPushButton:pressed, QToolButton:pressed { background: $border; }
QPushButton:focus, QToolButton:focus { border: 1px solid $accent; }
QPushButton:disabled, QToolButton:disabled { color: $text_faint; }
QPushButton:disabled { background: transparent; border-color: $border; }
QPushButton#primary { background: $accent; color: $on_accent; border-color: $accent; font-weight: 600; padding: 6px 18px; }
QPushButton#primary:hover { background: $accent_hover; border-color: $accent_hover; }
QPushButton#primary:focus { border: 1px solid $text; }
QPushButton#primary:disabled { background: $raised; color: $text_faint; border-color: $border; }
QPushButton#chip { border-radius: 12px; padding: 3px 10px; color: $text_soft; }
QPushButton#chip:hover { color: $text; }
QToolButton { padding: 5px; background: transparent; border-color: transparent; }
QToolButton::menu-indicator { image: none; }
QPushButton::menu-indicator { image: url("$icons/down_$shade.svg"); width: 14px; height: 14px;
  subcontrol-origin: padding; subcontrol-position: right center; right: 8px; }
QPushButton#menu { padding-right: 30px; }
QToolButton:checked { background: $selection; border-color: $accent; }
QToolButton#tab { padding: 5px 14px; color: $text_soft; }
QToolButton#tab:checked { color: $text; background: $raised; border-color: $edge_soft; }
QToolButton#play { background: $raised; border-color: $edge_soft; border-radius: 18px; min-width: 24px; min-height: 24px; }
QToolButton#play:hover { background: $hover; }

QLineEdit, QPlainTextEdit, QSpinBox, QDoubleSpinBox, QComboBox {
  background: $field; color: $text; border: 1px solid $edge; border-radius: 6px; padding: 5px 8px;
  selection-background-color: $accent; selection-color: $on_accent; }
QLineEdit, QPlainTextEdit { placeholder-text-color: $placeholder; }
QLineEdit:disabled, QPlainTextEdit:disabled { placeholder-text-color: $text_faint; }
QLineEdit:focus, QPlainTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus { border: 1px solid $accent; }
QLineEdit:disabled, QPlainTextEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled {
  color: $text_faint; background: $panel; border-color: $border; }
QLineEdit#title { background: transparent; border: 1px solid transparent; font-size: 14px; font-weight: 600; padding: 4px 8px; }
QLineEdit#title:hover { background: $field; }
QLineEdit#title:focus { background: $field; border: 1px solid $accent; }
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button, QDoubleSpinBox::down-button { width: 0; border: none; }
QComboBox { padding-right: 2px; }
QComboBox::drop-down { border: none; width: 22px; }
QComboBox::down-arrow { image: url("$icons/down_$shade.svg"); width: 14px; height: 14px; }
QCheckBox { color: $text; spacing: 8px; }
QCheckBox:disabled { color: $text_faint; }
QCheckBox::indicator { width: 16px; height: 16px; border: 1px solid $edge; border-radius: 4px; background: $field; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent; image: url("$icons/tick_$shade.svg"); }
QCheckBox::indicator:focus { border-color: $accent; }
QCheckBox::indicator:disabled { border-color: $edge_soft; background: $panel; }
QComboBox QAbstractItemView { background: $raised; color: $text; border: 1px solid $edge_soft; selection-background-color: $accent; }

QListView, QTableView { background: transparent; color: $text; border: none; }
QListView::item { border-radius: 6px; }
QListView::item:hover { background: $hover; }
QListView::item:selected { background: $selection; color: $text; }
QTableView { font-size: 12px; gridline-color: transparent; selection-background-color: $selection; selection-color: $text; }
QTableView::item { padding: 4px 2px; border: none; }
QHeaderView { background: transparent; }
QHeaderView::section { background: $panel; color: $text_soft; border: none; padding: 4px 6px; }
QScrollArea { background: transparent; border: none; }
QScrollArea > QWidget > QWidget#scrolled { background: transparent; }

QSlider::groove:horizontal { height: 4px; background: $edge; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::handle:horizontal { width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; background: $text; }
QSlider::handle:horizontal:focus { background: $accent_hover; }
QSlider:disabled { background: transparent; }
QSlider::handle:horizontal:disabled { background: $text_faint; }
QProgressBar { background: $field; border: 1px solid $edge; border-radius: 4px; max-height: 6px; min-height: 6px; }
QProgressBar:disabled { border-color: $edge_soft; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }
QScrollBar:horizontal { height: 10px; background: transparent; margin: 0; }
QScrollBar:vertical { width: 10px; background: transparent; margin: 0; }
QScrollBar::handle { background: $edge; border-radius: 3px; margin: 2px; min-width: 32px; min-height: 32px; }
QScrollBar::handle:hover { background: $text_soft; }
QScrollBar::handle:disabled { background: transparent; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QSplitter::handle { background: transparent; }
QSplitter::handle:hover { background: $hover; }
QStatusBar { background: $window; color: $text_soft; border: none; }
QStatusBar::item { border: none; }
QStatusBar QLabel { color: $text_soft; padding: 0 8px; }
QFrame#message { background: $raised; border: 1px solid $edge_soft; border-radius: 8px; }
QFrame#line { background: $border; max-height: 1px; min-height: 1px; border: none; }
""")


def stylesheet(colors: Colors) -> str:
    """The style sheet in these colours."""
    names = {name: str(value) for name, value in asdict(colors).items()}
    icons = (assets_dir() / "icons").as_posix()
    return _SHEET.substitute(names, icons=icons, shade="dark" if colors.is_dark else "light")
