"""What the edit and play actions do: split, delete, in and out, previous and next edit. It owns no widget."""

from PySide6.QtCore import QObject

from studio.commands.project_edits import set_range
from studio.commands.prompt_edits import delete_prompt, split_prompt
from studio.commands.sound_edits import delete_sound, split_sound
from studio.playback.player import Player
from studio.project.document import new_id
from studio.qt_models.session import StudioSession


class EditController(QObject):
    """Edits at the playhead and of the selection."""

    def __init__(self, session: StudioSession, player: Player, parent: QObject | None = None) -> None:
        """Edit the session's document."""
        super().__init__(parent)
        self._session = session
        self._player = player

    def split(self) -> None:
        """Cut the selected sound, or the direction under the playhead, in two."""
        frame, selection = self._player.frame, self._session.selection
        second_id = new_id()
        if selection.kind == "sound":
            clip_id = selection.id
            self._session.do(self.tr("Split sound"), lambda project: split_sound(project, clip_id, frame, second_id))
        else:
            self._session.do(self.tr("Split direction"), lambda project: split_prompt(project, frame, second_id))

    def delete(self) -> None:
        """Delete the selected sound or direction."""
        selection = self._session.selection
        if selection.kind == "sound":
            self._session.do(self.tr("Delete sound"), lambda project: delete_sound(project, selection.id))
        elif selection.kind == "prompt":
            self._session.do(self.tr("Delete direction"), lambda project: delete_prompt(project, selection.id))

    def mark_in(self) -> None:
        """The stretch that is played and exported begins at the playhead."""
        frame = self._player.frame
        self._session.do(self.tr("Mark in"), lambda project: set_range(project, frame, project.timeline.out_frame))

    def mark_out(self) -> None:
        """It ends after the frame at the playhead."""
        frame = self._player.frame + 1
        self._session.do(self.tr("Mark out"), lambda project: set_range(project, project.timeline.in_frame, frame))

    def clear_range(self) -> None:
        """Everything is played and exported."""
        self._session.do(self.tr("Clear in and out"), lambda project: set_range(project, None, None))

    def step(self, num_frames: int) -> None:
        """Move the playhead by frames."""
        self._player.seek(self._player.frame + num_frames)

    def previous_edit(self) -> None:
        """Move the playhead to the edge before it."""
        self._player.seek(max((edge for edge in self._edges() if edge < self._player.frame), default=0))

    def next_edit(self) -> None:
        """Move the playhead to the edge after it."""
        end = self._session.project.timeline.num_frames
        self._player.seek(min((edge for edge in self._edges() if edge > self._player.frame), default=end))

    def _edges(self) -> set[int]:
        timeline = self._session.project.timeline
        edges = {0, timeline.num_frames - 1}
        for clip in timeline.sounds:
            edges |= {clip.start_frame, clip.end_frame}
        for prompt in timeline.prompts:
            edges |= {prompt.start_frame, prompt.end_frame}
        return edges
