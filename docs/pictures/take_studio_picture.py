"""Takes the picture of the studio for the README: `python docs/pictures/take_studio_picture.py` on a machine with fonts.

It opens a copy of the sample project, with the film that is in it, in the size and look that the README shows.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtGui import QCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from studio.app import Studio, engine_machinery  # noqa: E402  # the checkout is put on the path first
from studio.project.store import ProjectStore  # noqa: E402
from studio.settings import Settings  # noqa: E402
from studio.theme.look import LookChoice  # noqa: E402

SAMPLE = ROOT / "assets" / "projects" / "first-performance.lpm"
SECOND_SHOWN = 7


def take(target: Path) -> None:
    """Grab the window with a direction selected."""
    application = QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / SAMPLE.name
        shutil.copyfile(SAMPLE, project)
        settings = Settings(QSettings(str(Path(folder) / "settings.ini"), QSettings.Format.IniFormat))
        settings.look = LookChoice.DARK
        studio = Studio(application, ProjectStore(project), settings, engine_machinery())
        studio.window.resize(1440, 900)
        studio.window.show()
        studio.session.select("prompt", studio.session.project.timeline.prompts[1].id)
        studio.player.seek(SECOND_SHOWN * 24)
        QCursor.setPos(0, 0)  # nothing is hovered over
        QTest.qWait(500)
        studio.window.grab().save(str(target))
        studio.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("studio.png"))
