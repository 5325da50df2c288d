"""`python -m studio [PROJECT]`: open the window. Called by a person or a desktop entry; everything else is in `app.py`."""

import logging
import sys
from pathlib import Path

from engine.errors import LpmError
from studio.app import run_studio


def main(arguments: list[str]) -> int:
    """Open the studio on a project, or on the last one; exit status 1 with one line for one that cannot be opened."""
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    try:
        return run_studio(Path(arguments[0]) if arguments else None)
    except LpmError as error:
        sys.stderr.write(f"lpm: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
