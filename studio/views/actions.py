"""Every action of the window: its words, its icon, its key. What an action does is connected by the main window.

Keys that text fields and lists need for themselves (Space, arrows, Home, End) are only shown here; the main window handles
them when no field took them.
"""

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QCoreApplication, QObject
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar

from studio.theme.look import Look


@dataclass(frozen=True, kw_only=True)
class ActionPlan:
    """One action before it is made; `shown_key` is told to the person and handled elsewhere."""

    name: str
    text: str
    menu: str
    icon: str = ""
    keys: tuple[str | QKeySequence.StandardKey, ...] = ()
    shown_key: str = ""
    is_checkable: bool = False
    has_line_before: bool = False


_Standard = QKeySequence.StandardKey
PLANS: Final = (
    ActionPlan(name="new", text="&New project…", menu="&File", keys=(_Standard.New,)),
    ActionPlan(name="open", text="&Open project…", menu="&File", icon="folder", keys=(_Standard.Open,)),
    ActionPlan(name="save_as", text="Save &as…", menu="&File", keys=("Ctrl+Shift+S",)),
    ActionPlan(
        name="import", text="&Import sounds…", menu="&File", icon="import", keys=("Ctrl+I",), has_line_before=True
    ),
    ActionPlan(name="import_character", text="Import &character…", menu="&File", keys=("Ctrl+Shift+I",)),
    ActionPlan(name="import_picture", text="Character from a &picture…", menu="&File"),
    ActionPlan(name="export", text="Export", menu="&File", icon="export", keys=("Ctrl+M",)),
    ActionPlan(name="preferences", text="&Preferences…", menu="&File", keys=("Ctrl+,",), has_line_before=True),
    ActionPlan(name="quit", text="&Quit", menu="&File", keys=(_Standard.Quit, "Ctrl+Q")),
    ActionPlan(name="undo", text="&Undo", menu="&Edit", icon="undo", keys=(_Standard.Undo,)),
    ActionPlan(name="redo", text="&Redo", menu="&Edit", icon="redo", keys=("Ctrl+Shift+Z", "Ctrl+Y")),
    ActionPlan(name="add_prompt", text="Add &direction", menu="&Edit", icon="plus", keys=("D",), has_line_before=True),
    ActionPlan(name="split", text="&Split at playhead", menu="&Edit", icon="split", keys=("Ctrl+B", "Ctrl+K")),
    ActionPlan(name="delete", text="De&lete", menu="&Edit", icon="trash", keys=(_Standard.Delete,)),
    ActionPlan(name="snap", text="S&nap to chunks", menu="&Edit", icon="snap", keys=("S",), is_checkable=True),
    ActionPlan(name="play", text="&Play", menu="&Play", icon="play", shown_key="Space"),
    ActionPlan(name="to_start", text="To the &start", menu="&Play", icon="to_start", shown_key="Home"),
    ActionPlan(name="back", text="A frame &back", menu="&Play", icon="previous", shown_key="Left"),
    ActionPlan(name="forward", text="A frame &forward", menu="&Play", icon="next", shown_key="Right"),
    ActionPlan(name="to_end", text="To the &end", menu="&Play", icon="to_end", shown_key="End"),
    ActionPlan(name="previous_edit", text="P&revious edit", menu="&Play", shown_key="Up"),
    ActionPlan(name="next_edit", text="Ne&xt edit", menu="&Play", shown_key="Down"),
    ActionPlan(name="shuttle_back", text="Shuttle backwards", menu="&Play", keys=("J",), has_line_before=True),
    ActionPlan(name="pause", text="Pause", menu="&Play", keys=("K",)),
    ActionPlan(name="shuttle", text="Shuttle forwards", menu="&Play", keys=("L",)),
    ActionPlan(name="loop", text="&Loop", menu="&Play", icon="loop", keys=("Ctrl+L",), is_checkable=True),
    ActionPlan(name="mark_in", text="Mark &in", menu="&Play", keys=("I",), has_line_before=True),
    ActionPlan(name="mark_out", text="Mark &out", menu="&Play", keys=("O",)),
    ActionPlan(name="clear_range", text="Clear in and out", menu="&Play", keys=("Alt+X",)),
    ActionPlan(name="direct", text="&Direct", menu="&View", keys=("Ctrl+3",), is_checkable=True),
    ActionPlan(name="live", text="&Live", menu="&View", keys=("Ctrl+4",), is_checkable=True),
    ActionPlan(name="zoom_in", text="Zoom &in", menu="&View", icon="plus", keys=("=", "+"), has_line_before=True),
    ActionPlan(name="zoom_out", text="Zoom &out", menu="&View", icon="minus", keys=("-",)),
    ActionPlan(name="fit", text="&Fit the timeline", menu="&View", icon="fit", keys=("\\",)),
    ActionPlan(name="render", text="Render", menu="&Render", icon="render", keys=("Ctrl+R",)),
    ActionPlan(name="cancel", text="Cancel", menu="&Render", icon="close", keys=("Ctrl+.",)),
    ActionPlan(name="keys", text="&Keys", menu="&Help", keys=("F1",)),
    ActionPlan(name="about", text="&About LPM Studio", menu="&Help"),
)


class Actions:
    """The made actions, by name."""

    def __init__(self, look: Look, parent: QObject) -> None:
        """Make them all."""
        self._look = look
        self._actions: dict[str, QAction] = {}
        self._tips: dict[str, str] = {}
        for plan in PLANS:
            self._actions[plan.name] = self._make(plan, parent)
        look.changed.connect(self.dress)
        self.dress()

    def __getitem__(self, name: str) -> QAction:
        """One action; `KeyError` for a name that is none."""
        return self._actions[name]

    def allow(self, name: str, why_not: str = "") -> None:
        """Let an action be used, or say under its tool tip why it cannot be."""
        self._actions[name].setEnabled(not why_not)
        self._actions[name].setToolTip(f"{self._tips[name]}\n{why_not}".strip())

    def dress(self) -> None:
        """Draw the icons in the current colours."""
        colors = self._look.colors
        for plan in PLANS:
            if plan.icon:
                color = colors.on_accent if plan.name == "render" else colors.text
                self._actions[plan.name].setIcon(self._look.icon(plan.icon, color))

    def fill(self, bar: QMenuBar) -> None:
        """Put every action into its menu."""
        menus: dict[str, QMenu] = {}
        for plan in PLANS:
            if plan.menu not in menus:
                menus[plan.menu] = bar.addMenu(words(plan.menu))
            if plan.has_line_before:
                menus[plan.menu].addSeparator()
            menus[plan.menu].addAction(self._actions[plan.name])

    def _make(self, plan: ActionPlan, parent: QObject) -> QAction:
        text = words(plan.text)
        action = QAction(f"{text}\t{plan.shown_key}" if plan.shown_key else text, parent)
        action.setShortcuts([QKeySequence(key) for key in plan.keys])
        action.setCheckable(plan.is_checkable)
        key = plan.shown_key or action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        plain = text.replace("&", "").rstrip("…")
        self._tips[plan.name] = f"{plain} ({key})" if key else plain
        action.setToolTip(self._tips[plan.name])
        action.setIconVisibleInMenu(False)
        if plan.name == "quit":
            action.setMenuRole(QAction.MenuRole.QuitRole)
        return action


def words(text: str) -> str:
    """The words in the person's language."""
    return QCoreApplication.translate("Actions", text)


def key_lines() -> list[tuple[str, str]]:
    """Each action that has a key, and the key: what the help shows."""
    lines = []
    for plan in PLANS:
        keys = [QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) for key in plan.keys]
        shown = [plan.shown_key] if plan.shown_key else [key for key in keys if key]
        if shown:
            lines.append((words(plan.text).replace("&", "").rstrip("…"), " · ".join(dict.fromkeys(shown))))
    return lines
