"""Start here on any system: `python3 installer/bootstrap.py run` (or test, test-long, bench, format).

Called by `make` and by hand on systems without make. Standard library only. This one file must be readable by an old Python,
so that it can say which one is needed; everything else is in the files beside it.
"""

import os
import shutil
import sys

NEEDED = (3, 11)
NEWER_PYTHONS = ("python3.13", "python3.12", "python3.11", "python3.14")
RESTARTED = "LPM_BOOTSTRAP_RESTARTED"


def main() -> int:
    """Make sure of the Python version, then hand over to the verbs."""
    if sys.version_info < NEEDED:
        return _start_again_with_newer_python()
    from verbs import main as do_verb

    return do_verb(sys.argv[1:])


def _start_again_with_newer_python() -> int:
    for name in NEWER_PYTHONS:
        program = shutil.which(name)
        if program and not os.environ.get(RESTARTED):
            os.environ[RESTARTED] = "1"
            os.execv(program, [program, os.path.abspath(__file__)] + sys.argv[1:])  # noqa: RUF005
    version = "{}.{}".format(*sys.version_info[:2])
    print("LPM Studio needs Python 3.11 or newer; this is Python " + version + ".")
    print("On Ubuntu 22.04:  sudo apt-get install python3.11 python3.11-venv   and start again.")
    print("Elsewhere: python.org or your package manager has it.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
