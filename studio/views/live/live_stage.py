"""The stage of the Live workspace: the picture, the ribbon, and the line that one types for the character to say."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from studio.live.typed_voice import MOST_LETTERS
from studio.theme.look import Look
from studio.views.direct.picture_view import PictureView
from studio.views.live.state_ribbon import StateRibbon


class LiveStage(QWidget):
    """Shows; what is typed and pressed is told by signals."""

    said = Signal(str)
    interrupted = Signal()

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        """Begin with an empty stage."""
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._look = look
        self.picture = PictureView(look)
        self.ribbon = StateRibbon(look)
        self.line = QLineEdit()
        self.line.setMaxLength(MOST_LETTERS)
        self.line.setAccessibleName(self.tr("What the character says"))
        self.line.returnPressed.connect(self._say)
        self.say_button = QPushButton(self.tr("Say"))
        self.say_button.clicked.connect(self._say)
        self.interrupt_button = QPushButton(self.tr("Interrupt"))
        self.interrupt_button.setToolTip(self.tr("The character stops speaking (Esc)"))
        self.interrupt_button.clicked.connect(self.interrupted)
        escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)
        escape.setContext(Qt.ShortcutContext.WindowShortcut)
        escape.activated.connect(self.interrupt_button.click)
        for button in (self.say_button, self.interrupt_button):
            button.setIconSize(QSize(16, 16))
        self._compose()
        look.changed.connect(self._dress)
        self._dress()

    def _compose(self) -> None:
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.line, 1)
        line.addWidget(self.say_button)
        line.addWidget(self.interrupt_button)
        below = QVBoxLayout()
        below.setContentsMargins(8, 8, 8, 8)
        below.setSpacing(12)
        below.addWidget(self.ribbon)
        below.addLayout(line)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(0)
        layout.addWidget(self.picture, 1)
        layout.addLayout(below)

    def _dress(self) -> None:
        colors = self._look.colors
        self.say_button.setIcon(self._look.icon("speak", colors.text))
        self.interrupt_button.setIcon(self._look.icon("stop", colors.text))

    def show_closed(self, portrait: QImage, name: str, *, has_cast: bool, has_microphone: bool) -> None:
        """No session: the portrait and what to do; a blank `name` where nobody is chosen to perform."""
        self.ribbon.end()
        self.picture.show_image(portrait)
        self.picture.set_badge("")
        if name:
            hint = self.tr("Pick a microphone and press Go live.")
            if not has_microphone:
                hint = self.tr("Press Go live and type what {name} says, or choose a sound file to be heard.")
            self.picture.set_hint(self.tr("Talk with {name}").format(name=name), hint.format(name=name))
        else:
            hint = self.tr("Add a character in the library, then go live.")
            if has_cast:
                hint = self.tr("Choose a character in the library, then go live.")
            self.picture.set_hint(self.tr("Who is going to perform?"), hint)

    def show_opening(self, name: str) -> None:
        """The model is loaded and the first pictures are made."""
        self.ribbon.begin()
        self.picture.set_hint(
            self.tr("{name} is getting ready").format(name=name), self.tr("The first picture is being made.")
        )

    def show_open(self) -> None:
        """The picture is live, and says what it is."""
        self.picture.set_hint("", "")
        self.picture.set_badge(self.tr("Live · AI generated"), self._look.colors.playhead)

    def allow(self, can_type: bool, can_interrupt: bool, name: str) -> None:
        """Which of the controls work now."""
        self.line.setEnabled(can_type)
        self.say_button.setEnabled(can_type)
        self.interrupt_button.setEnabled(can_interrupt)
        if can_interrupt and not can_type:
            hint = self.tr("The microphone speaks for {name}").format(name=name)
        else:
            hint = self.tr("Type what {name} says").format(name=name or self.tr("the character"))
        self.line.setPlaceholderText(hint)

    def _say(self) -> None:
        text = self.line.text().strip()
        if text:
            self.line.clear()
            self.said.emit(text)
