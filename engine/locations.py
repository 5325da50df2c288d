"""Where things lie: the files that ship with the product and the folders that belong to the person who uses it.

Called by packs, characters and the command line. It only answers with paths: importing or calling it makes no folder.

    LPM_HOME set      everything of the person's own lies in that one folder
    LPM_HOME not set  the system's usual folders (platformdirs; Qt's QStandardPaths gives the same for the application "lpm-studio")
"""

import os
import sys
from pathlib import Path
from typing import Final

import platformdirs

APPLICATION: Final = "lpm-studio"
HOME_VARIABLE: Final = "LPM_HOME"


def _own_home() -> Path | None:
    value = os.environ.get(HOME_VARIABLE, "").strip()
    return Path(value).expanduser().resolve() if value else None


def data_dir() -> Path:
    """The person's own characters and packs."""
    home = _own_home()
    return home if home else platformdirs.user_data_path(APPLICATION, appauthor=False)


def cache_dir() -> Path:
    """What can be thrown away and made again."""
    home = _own_home()
    return home / "cache" if home else platformdirs.user_cache_path(APPLICATION, appauthor=False)


def windows_dir() -> Path:
    """Finished windows of films, so that a film that was stopped or changed is not made from its beginning again."""
    return cache_dir() / "windows"


def assets_dir() -> Path:
    """What ships with the product: next to the packages in a checkout, under the prefix when it is installed."""
    beside_packages = Path(__file__).resolve().parents[1] / "assets"
    return beside_packages if beside_packages.is_dir() else Path(sys.prefix) / "share" / APPLICATION / "assets"


def character_dirs() -> tuple[Path, ...]:
    """The folders that hold one folder for each character; the person's own comes first."""
    return (data_dir() / "characters", assets_dir() / "characters")


def pack_dirs() -> tuple[Path, ...]:
    """The folders that hold one folder for each model pack; the person's own comes first."""
    return (data_dir() / "models", assets_dir() / "models")
