"""Adds to pyproject.toml the one thing it cannot say: the assets, a tree of folders, go under share/ of an installed wheel.

Called by the build backend. A checkout needs none of it: there `engine.locations` finds `assets/` beside the packages.
"""

from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).resolve().parent
SHARE = Path("share") / "lpm-studio"


def asset_files() -> list[tuple[str, list[str]]]:
    """Each folder under assets/ with its files, as setuptools wants them: relative to the prefix and to the checkout."""
    folders = sorted({path.parent for path in (ROOT / "assets").rglob("*") if path.is_file()})
    return [
        (
            str(SHARE / folder.relative_to(ROOT)),
            sorted(str(path.relative_to(ROOT)) for path in folder.iterdir() if path.is_file()),
        )
        for folder in folders
    ]


setup(data_files=asset_files())
