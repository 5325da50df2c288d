"""The properties: the page that belongs to what is selected."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from studio.qt_models.portrait_warnings import PortraitWarnings
from studio.qt_models.session import StudioSession
from studio.views.properties.character_page import CharacterPage
from studio.views.properties.project_page import ProjectPage
from studio.views.properties.prompt_page import PromptPage
from studio.views.properties.sound_page import SoundPage


class PropertiesPanel(QWidget):
    """Shows one page at a time."""

    def __init__(self, session: StudioSession, warnings: PortraitWarnings, parent: QWidget | None = None) -> None:
        """Make the pages."""
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session = session
        self.project = ProjectPage(session)
        self.prompt = PromptPage(session)
        self.sound = SoundPage(session)
        self.character = CharacterPage(session, warnings)
        self._pages = QStackedWidget()
        self._by_kind: dict[str, QWidget] = {
            "": self.project,
            "prompt": self.prompt,
            "sound": self.sound,
            "character": self.character,
        }
        for page in self._by_kind.values():
            area = QScrollArea()
            area.setWidgetResizable(True)
            area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            area.setWidget(page)
            self._pages.addWidget(area)
        heading = QLabel(self.tr("Properties"))
        heading.setProperty("heading", True)
        heading.setFixedHeight(28)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 8, 16)
        layout.setSpacing(8)
        layout.addWidget(heading)
        layout.addWidget(self._pages, 1)
        self.prompt.table_requested.connect(session.select)
        session.selection_changed.connect(self._show_page)
        self._show_page()

    @property
    def shown(self) -> QWidget:
        """The page that is shown."""
        return list(self._by_kind.values())[self._pages.currentIndex()]

    def edit_prompt(self, prompt_id: str) -> None:
        """Select a direction and put the cursor into its words."""
        self._session.select("prompt", prompt_id)
        self.prompt.edit()

    def _show_page(self) -> None:
        kinds = list(self._by_kind)
        self._pages.setCurrentIndex(kinds.index(self._session.selection.kind))
