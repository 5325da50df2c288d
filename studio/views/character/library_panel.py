"""The library: the cast of the project with their reference pictures, and the way to bring in more."""

from PySide6.QtCore import QModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListView,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.commands.project_edits import choose_character
from studio.project.document import Character
from studio.qt_models.character_list import CHARACTER_ROLE, CharacterListModel
from studio.qt_models.session import StudioSession
from studio.theme.look import Look
from studio.views.character.cast_menu import CastMenu
from studio.views.character.character_delegate import ROW_HEIGHT_PX, CharacterDelegate
from studio.views.character.reference_grid import ReferenceGrid
from studio.views.dropped_files import dropped_paths


class LibraryPanel(QWidget):
    """Lists the characters; selecting one shows its references, activating one lets it perform."""

    picture_requested = Signal()
    import_requested = Signal()
    characters_wanted = Signal(list)
    reference_chosen = Signal(QImage, str)

    def __init__(self, session: StudioSession, look: Look, parent: QWidget | None = None) -> None:
        """Follow the session's cast."""
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAcceptDrops(True)
        self._session = session
        self._look = look
        self._is_following = False
        self.model = CharacterListModel(session, self)
        self.list = QListView()
        self.references = ReferenceGrid(look, self.model.picture)
        self.references.chosen.connect(self.reference_chosen)
        self.perform = QPushButton(self.tr("Let this character perform"))
        self.perform.clicked.connect(self._choose_selected)
        self.cast = CastMenu(self)
        self.cast.picked.connect(lambda folder: self.characters_wanted.emit([folder]))
        self.cast.picture_wanted.connect(self.picture_requested)
        self.cast.folder_wanted.connect(self.import_requested)
        self._compose()
        session.project_changed.connect(self._refresh)
        session.project_opened.connect(self._select_performer)
        look.changed.connect(self._dress)
        self._dress()
        self._refresh()
        self._select_performer()

    def _compose(self) -> None:
        self.list.setModel(self.model)
        self.list.setItemDelegate(CharacterDelegate(self._look, self.list))
        self.list.setAccessibleName(self.tr("Characters"))
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.setMouseTracking(True)
        self.list.setMinimumHeight(ROW_HEIGHT_PX)
        self.list.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.list.selectionModel().currentChanged.connect(self._current_changed)
        self.list.clicked.connect(lambda index: self._current_changed(index))
        self.list.activated.connect(lambda _: self._choose_selected())
        self.list.doubleClicked.connect(lambda _: self._choose_selected())
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(self.references)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        full = QWidget()
        filled = QVBoxLayout(full)
        filled.setContentsMargins(0, 0, 0, 0)
        filled.setSpacing(8)
        filled.addWidget(self.list, 3)
        filled.addWidget(self.perform)
        filled.addWidget(area, 2)
        self._pages = QStackedLayout()
        self._pages.addWidget(full)
        self._pages.addWidget(self._make_empty())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 8, 16)
        layout.setSpacing(8)
        layout.addLayout(self._make_heading())
        layout.addLayout(self._pages, 1)

    def _make_heading(self) -> QHBoxLayout:
        line = QHBoxLayout()
        heading = QLabel(self.tr("Characters"))
        heading.setProperty("heading", True)
        self._add = QToolButton()
        self._add.setIconSize(QSize(18, 18))
        self._add.setFixedSize(28, 28)  # as high as the headings of the other panels
        self._add.setToolTip(self.tr("Add a character"))
        self._add.setAccessibleName(self.tr("Add a character"))
        self._add.setMenu(self.cast)
        self._add.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        line.addWidget(heading, 1)
        line.addWidget(self._add)
        return line

    def _make_empty(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setSpacing(8)
        self._empty_sign = QLabel()
        title = QLabel(self.tr("No characters yet"))
        title.setProperty("title", True)
        hint = QLabel(self.tr("Take one that comes with the studio, or drop a picture of your own here."))
        hint.setProperty("soft", True)
        hint.setWordWrap(True)
        button = QPushButton(self.tr("Add a character"))
        button.setObjectName("menu")
        button.setMenu(self.cast)
        layout.addStretch(1)
        for widget in (self._empty_sign, title, hint):
            widget.setAlignment(Qt.AlignmentFlag.AlignCenter)
            layout.addWidget(widget)
        layout.addSpacing(8)
        layout.addWidget(button, 0, Qt.AlignmentFlag.AlignCenter)
        layout.addStretch(2)
        return page

    @property
    def is_empty(self) -> bool:
        """Whether the page for an empty cast is shown."""
        return self._pages.currentIndex() == 1

    def _dress(self) -> None:
        colors = self._look.colors
        self._add.setIcon(self._look.icon("plus", colors.text_soft))
        self._empty_sign.setPixmap(self._look.icon("person", colors.text_faint).pixmap(QSize(40, 40)))

    def _refresh(self) -> None:
        self._pages.setCurrentIndex(0 if self._session.project.characters else 1)
        num = max(min(len(self._session.project.characters), 4), 1)
        self.list.setMaximumHeight(num * ROW_HEIGHT_PX + 4)
        if not self.list.currentIndex().isValid():
            self._select_performer()
        self._refresh_button()

    def _select_performer(self) -> None:
        row = self.model.row_of(self._session.project.character_id)
        if row >= 0:
            self._is_following = True  # the list shows who performs; the person has selected nothing
            self.list.setCurrentIndex(self.model.index(row))
            self._is_following = False
        else:
            self.references.show_character(None)

    def _selected(self) -> Character | None:
        character = self.list.currentIndex().data(CHARACTER_ROLE)
        return character if isinstance(character, Character) else None

    def _current_changed(self, current: QModelIndex) -> None:
        del current
        character = self._selected()
        self.references.show_character(character)
        if character is not None and not self._is_following:
            self._session.select("character", character.id)
        self._refresh_button()

    def _refresh_button(self) -> None:
        character = self._selected()
        is_other = character is not None and character.id != self._session.project.character_id
        self.perform.setVisible(is_other)

    def _choose_selected(self) -> None:
        character = self._selected()
        if character is not None:
            name = self.tr("Choose {name}").format(name=character.name)
            self._session.do(name, lambda project: choose_character(project, character.id))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take pictures and folders."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Hand on what was dropped."""
        paths = dropped_paths(event)
        if paths:
            event.acceptProposedAction()
            self.characters_wanted.emit(paths)
