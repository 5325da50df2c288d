"""Takes the picture of the Live workspace for the README: `python docs/pictures/take_live_picture.py` on a machine with fonts.

The shipped pack plays a real session: a sound file is the microphone (the sample project's partner, or one that is given), a line is
typed, a film is recorded, and the window is grabbed while the character answers. The film lies in the folder that is given last.

    python docs/pictures/take_live_picture.py [picture.png [voice.wav [folder for the film]]]
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine.media.sound import write_wav  # noqa: E402  # the checkout is put on the path first
from studio.app import Studio, engine_machinery  # noqa: E402
from studio.project.blobs import decode_sound  # noqa: E402
from studio.project.store import ProjectStore  # noqa: E402
from studio.settings import Settings  # noqa: E402
from studio.theme.look import LookChoice  # noqa: E402
from studio.views.live.live_controller import LivePhase  # noqa: E402

SAMPLE = ROOT / "assets" / "projects" / "first-performance.lpm"
LINE = "That sounds lovely. Tell me more about the evening, and who was there with you."
LISTENED_MS = 12_000
SPOKEN_MS = 2_500
PATIENCE_S = 120


def wait(wait_ms: int) -> None:
    """Let the window live for a while; `QTest.qWait` would hold the interpreter, and the session's threads with it."""
    ends_s = time.monotonic() + wait_ms / 1000
    while time.monotonic() < ends_s:
        QApplication.processEvents()
        time.sleep(0.005)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Let the window live until it is so."""
    gives_up_s = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > gives_up_s:
            raise SystemExit("the session did not come this far; is this machine busy with something else?")
        wait(20)


def take(target: Path, voice: Path | None, films: Path | None) -> None:
    """Play a short conversation and grab the window."""
    application = QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / SAMPLE.name
        shutil.copyfile(SAMPLE, project)
        settings = Settings(QSettings(str(Path(folder) / "settings.ini"), QSettings.Format.IniFormat))
        settings.look = LookChoice.DARK
        studio = Studio(application, ProjectStore(project), settings, engine_machinery())
        studio.window.resize(1440, 900)
        studio.window.show()
        QCursor.setPos(0, 0)  # nothing is hovered over
        studio.window.actions_by_name["live"].trigger()
        wait(2000)
        live = studio.window.live
        live.controls.pick_file(voice or partner_of(studio, Path(folder)))
        live.controls.live_button.click()
        wait_until(lambda: studio.live.phase is LivePhase.OPEN)
        live.controls.record_button.click()
        wait(LISTENED_MS)
        live.stage.said.emit(LINE)
        wait_until(lambda: live.stage.ribbon.state == "responding")
        wait(SPOKEN_MS)
        studio.window.grab().save(str(target))
        wait(SPOKEN_MS)
        studio.close()
        for film in Path(folder).glob("* live *.mp4"):
            shutil.copyfile(film, (films or Path(folder)) / film.name.replace(" ", "-"))


def partner_of(studio: Studio, folder: Path) -> Path:
    """The partner's voice of the sample project, as a file."""
    clip = studio.session.project.timeline.clips_on("listen")[0]
    path = folder / "partner.wav"
    write_wav(path, decode_sound(studio.session.store.media(clip.media_sha)))
    return path


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    given += [Path(__file__).with_name("live.png")] if not given else []
    take(given[0], given[1] if len(given) > 1 else None, given[2] if len(given) > 2 else None)
