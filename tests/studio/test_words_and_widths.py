"""What is written is whole and true: counted things, labels of the ruler, long titles, keys, hints of empty tracks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from studio.playback.player import Player
from studio.project.document import Project
from studio.project.store import ProjectStore
from studio.project.timecode import FRAME_RATE_HZ
from studio.qt_models.prompt_table import FROM, PromptTableModel
from studio.qt_models.session import StudioSession
from studio.qt_models.wording import counted, timecode_words
from studio.theme.look import Look
from studio.views.actions import key_lines
from studio.views.dialogs import keys_dialog
from studio.views.direct.ruler import LABEL_GAP_PX, TIMECODE_GAP_PX, label, label_spacing
from studio.views.direct.time_scale import MAX_PX_PER_FRAME, MIN_PX_PER_FRAME, ZOOM_STEP, TimeScale
from studio.views.direct.timeline_view import TimelineView
from studio.views.properties.timecode_edit import TimecodeEdit
from studio.views.title_edit import TitleEdit

LONG_TITLE = "A conversation about the evening by the lake, second version"


@pytest.fixture
def session(store: ProjectStore) -> StudioSession:
    return StudioSession(store)


@pytest.fixture
def empty_timeline(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[TimelineView]:
    with ProjectStore.create(tmp_path / "empty.lpm", Project(title="Empty")) as store:
        view = TimelineView(StudioSession(store), Player(lambda: None), Look(qapp))
        qtbot.addWidget(view)
        view.resize(1000, 360)
        view.show()
        yield view


def test_one_is_not_told_as_many() -> None:
    assert [counted(num, "{num} view", "{num} views") for num in (0, 1, 2)] == ["0 views", "1 view", "2 views"]
    assert [counted(num, "{num} chunk", "{num} chunks") for num in (1.0, 2.5)] == ["1 chunk", "2.5 chunks"]


def test_the_ruler_tells_seconds_until_single_frames_are_seen() -> None:
    scale = TimeScale()
    scale.px_per_frame = MIN_PX_PER_FRAME
    while scale.px_per_frame <= MAX_PX_PER_FRAME:
        spacing = label_spacing(scale)
        has_frames = spacing < FRAME_RATE_HZ
        assert spacing * scale.px_per_frame >= (TIMECODE_GAP_PX if has_frames else LABEL_GAP_PX)
        assert not has_frames or scale.px_per_frame >= 6  # each frame has its tick then
        scale.px_per_frame *= ZOOM_STEP
    assert [label(frame, FRAME_RATE_HZ) for frame in (0, 336, 86400)] == ["0:00", "0:14", "1:00:00"]
    assert [label(frame, 6) for frame in (336, 342)] == ["00:00:14:00", "00:00:14:06"]


def test_a_time_field_shows_and_explains_the_whole_timecode(qtbot: QtBot, session: StudioSession) -> None:
    field = TimecodeEdit("Length")
    qtbot.addWidget(field)
    field.set_frame(14 * FRAME_RATE_HZ)
    assert field.text() == "00:00:14:00"
    assert field.toolTip() == timecode_words()
    assert "Hours:minutes:seconds:frames" in field.toolTip()
    edited: list[int] = []
    field.frame_edited.connect(edited.append)
    field.setText("1:02")
    field.editingFinished.emit()
    assert edited == [26]
    model = PromptTableModel(session)
    assert model.index(1, FROM).data() == "00:00:03:00"


def test_a_long_title_ends_in_an_ellipsis_until_somebody_types(qtbot: QtBot) -> None:
    place = QWidget()
    qtbot.addWidget(place)
    title, other = TitleEdit(place), QLineEdit(place)
    title.setGeometry(0, 0, 200, 32)
    other.setGeometry(0, 40, 200, 32)
    title.setText(LONG_TITLE)
    place.show()
    other.setFocus()
    qtbot.waitUntil(other.hasFocus)
    assert title.shown_text.endswith("…") and title.text() == LONG_TITLE
    place.grab()
    title.setFocus()
    qtbot.waitUntil(title.hasFocus)
    assert title.shown_text == LONG_TITLE
    other.setFocus()
    title.setText("Short")
    assert title.shown_text == "Short"


def test_every_key_is_told_whole(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    dialog = keys_dialog(window)
    dialog.show()
    shown = {words.text(): words for words in dialog.findChildren(QLabel)}
    for _, keys in key_lines():
        words = shown[keys]
        assert words.width() >= words.fontMetrics().horizontalAdvance(keys), keys
    dialog.close()


def test_an_empty_track_leads_to_a_sound_and_a_full_one_does_not(
    qtbot: QtBot, empty_timeline: TimelineView, session: StudioSession
) -> None:
    wanted: list[str] = []
    empty_timeline.sounds_wanted.connect(wanted.append)
    for track in (empty_timeline.speak, empty_timeline.listen):
        assert track.import_button.isVisible()
        assert track.rect().contains(track.import_button.geometry())
        track.import_button.click()
    assert wanted == ["speak", "listen"]
    full = TimelineView(session, empty_timeline.context.player, empty_timeline.context.look)
    qtbot.addWidget(full)
    full.resize(1000, 360)
    full.show()
    assert not full.speak.import_button.isVisible() and not full.listen.import_button.isVisible()


def test_no_line_of_the_grid_runs_through_the_words_of_an_empty_track(empty_timeline: TimelineView) -> None:
    track = empty_timeline.prompts
    image = track.grab().toImage()
    ratio = image.devicePixelRatio()
    line = QColor(empty_timeline.context.look.colors.grid_strong)
    x_px = round(empty_timeline.scale.x_of(FRAME_RATE_HZ))  # the grid's line at one second, behind the words

    def is_line(y_px: int) -> bool:
        return image.pixelColor(QPoint(x_px, y_px) * ratio) == line

    middle = track.rect().center().y()
    assert is_line(2)
    assert not any(is_line(y_px) for y_px in range(middle - 10, middle + 10))
