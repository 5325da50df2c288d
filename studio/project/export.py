"""The rendered film leaves the project: frames and sound into one MP4, whole or not at all.

Called by the studio's export on a background thread. Knows no Qt and no engine beyond its media writers.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from engine.errors import BadInputError, CancelledError
from engine.media.film import FilmWriter
from engine.media.film_sound import FilmSound
from studio.project.document import SOUND_TRACKS
from studio.project.render_plan import mix_track
from studio.project.store import ProjectStore
from studio.project.takes import read_frames
from studio.project.timecode import CHUNK_FRAMES, SAMPLES_PER_FRAME

FILM_SUFFIX: Final = ".mp4"


def export_film(
    project_path: Path,
    film_path: Path,
    stretch: tuple[int, int],
    report: Callable[[float], None],
    should_stop: Callable[[], bool],
) -> Path:
    """Write frames `stretch` of a rendered project, which this program has open, as MP4.

    `BadInputError` where a frame is not rendered yet.
    """
    start, end = stretch

    def mixing(num_samples: int) -> None:
        if should_stop():
            raise CancelledError("cancelled")

    with ProjectStore(project_path, is_read_only=True, is_checked=True) as store:
        first = read_frames(store, start, start + 1)
        if first is None:
            raise BadInputError("There is nothing to export yet: render the timeline first")
        cut = slice(start * SAMPLES_PER_FRAME, end * SAMPLES_PER_FRAME)
        tracks = [mix_track(store.project, track, store.media, mixing) for track in SOUND_TRACKS]
        speak_S, listen_S = (None if track_S is None else track_S[cut] for track_S in tracks)
        sound = FilmSound(speak_S=speak_S, listen_S=listen_S)
        with FilmWriter(film_path, size_px=first.shape[1], sound=sound) as film:
            for frame in range(start, end, CHUNK_FRAMES):
                if should_stop():
                    raise CancelledError("cancelled")
                last = min(frame + CHUNK_FRAMES, end)
                frames_THWC = read_frames(store, frame, last)
                if frames_THWC is None:
                    raise BadInputError("A part of the film is not rendered yet: render the timeline, then export")
                film.append(frames_THWC)
                report((last - start) / (end - start))
            film.commit()
    return film_path
