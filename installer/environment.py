"""The virtual environment `.venv` at the root of the checkout: made once, checked by a stamp, filled by pip under constraints.

Called by the verbs of the bootstrap. Standard library only; it must not import the studio, which is not installed yet when this runs.
"""

import hashlib
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from console import SetupError, elapsed, note, run_quietly, run_visibly, say
from system_packages import describe_system, install_debian_packages, install_packages, missing_packages

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
CONSTRAINTS = ROOT / "constraints.txt"
STAMP = VENV / "lpm-setup.json"
CPU_TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
CPU_TORCH_TIMEOUT_S = 6.0


def venv_program(name: str) -> Path:
    """The path of a program inside the virtual environment."""
    return VENV / "Scripts" / f"{name}.exe" if sys.platform == "win32" else VENV / "bin" / name


def child_environment(**settings: str) -> dict[str, str]:
    """The environment for programs of the virtual environment: the person's own, less what would lead Python astray."""
    astray = ("PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV")
    environment = {name: value for name, value in os.environ.items() if name not in astray}
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    return environment | settings


def prepare() -> None:
    """Bring the virtual environment up to date; takes milliseconds when nothing has changed since the last time."""
    fingerprint = fingerprint_of(ROOT)
    missing = missing_packages()
    names = sorted(package.probe for package in missing)
    if is_ready(_read_stamp(), fingerprint, names):
        return
    started_s = time.monotonic()
    say(f"Setting up LPM Studio in {VENV} (the first time takes a few minutes)")
    install_packages(missing)
    _make_venv()
    _install_torch()
    say("Installing the studio and its Python packages")
    if not _pip_install("-e", f"{ROOT}[dev]"):
        raise SetupError(
            "The Python packages could not be installed. Check the network and start again; nothing is lost."
        )
    still_missing = sorted(package.probe for package in missing_packages())
    STAMP.write_text(json.dumps({"fingerprint": fingerprint, "done_without": still_missing}) + "\n", encoding="utf-8")
    say(f"Ready after {elapsed(started_s)}.")


def is_ready(stamp: dict[str, object], fingerprint: str, missing: Sequence[str]) -> bool:
    """Whether the last set-up still holds: the same inputs, and no library gone that was there then."""
    done_without = stamp.get("done_without", [])
    return (
        stamp.get("fingerprint") == fingerprint and isinstance(done_without, list) and set(missing) <= set(done_without)
    )


def fingerprint_of(root: Path) -> str:
    """A digest of everything that decides what is installed: the declared packages, the installer, the system, the place."""
    digest = hashlib.sha256(f"{root} {describe_system()}".encode())
    for path in (root / "pyproject.toml", root / "constraints.txt", *sorted((root / "installer").glob("*.py"))):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _read_stamp() -> dict[str, object]:
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) and venv_program("python").exists() else {}


def _make_venv() -> None:
    if _has_pip():
        return
    if VENV.exists() and any(VENV.iterdir()) and not (VENV / "pyvenv.cfg").exists():
        raise SetupError(f"{VENV} is not a virtual environment. Please move it away and start again.")
    venv_package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if importlib.util.find_spec("ensurepip") is None and shutil.which("apt-get"):
        say("Python's venv module is missing; Debian and Ubuntu keep it in a package of its own.")
        install_debian_packages([venv_package])
        importlib.invalidate_caches()
    say("Making the virtual environment")
    create = [sys.executable, "-m", "venv", "--clear"]
    if importlib.util.find_spec("ensurepip") is not None and run_quietly([*create, str(VENV)], child_environment()):
        return
    if not run_quietly([*create, "--without-pip", str(VENV)], child_environment()) or not _lend_pip():
        raise SetupError(
            f"Python can make no virtual environment here. Please type:  sudo apt-get install {venv_package}"
        )


def _has_pip() -> bool:
    python = venv_program("python")
    if not python.exists():
        return False
    check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([str(python), "-c", check], capture_output=True, check=False).returncode == 0


def _lend_pip() -> bool:
    """Without ensurepip, the pip of the system can put a pip into the environment, where there is one."""
    if importlib.util.find_spec("pip") is None:
        return False
    note("Python's ensurepip is missing: using the system's pip once instead.")
    command = [sys.executable, "-m", "pip", "--python", str(venv_program("python")), "install", "-c", str(CONSTRAINTS)]
    return run_quietly([*command, "pip"], child_environment())


def _pip_install(*arguments: str, quietly: bool = False) -> bool:
    """`pip install` in the virtual environment; the one place that calls it, so that the constraints are always given."""
    command = [str(venv_program("python")), "-m", "pip", "install", "-c", str(CONSTRAINTS), "--no-input", *arguments]
    if quietly:
        return run_quietly(command, child_environment(), show_failure=False)
    if sys.stdout.isatty():
        return run_visibly(command, child_environment(), ROOT) == 0
    return run_quietly(command, child_environment())


def _install_torch() -> None:
    """PyTorch first and alone, so that the build is chosen here: the one for CPUs unless there is an NVIDIA GPU."""
    version = pinned_torch(CONSTRAINTS.read_text(encoding="utf-8"))
    if _installed_torch().split("+")[0] == version:
        return
    cpu_version = f"torch=={version}+cpu"
    if sys.platform.startswith("linux") and not has_nvidia_gpu():
        say(f"Installing PyTorch {version} for the CPU (no NVIDIA GPU found)")
        if _pip_install("--dry-run", "--no-deps", cpu_version, quietly=True) and _pip_install(cpu_version):
            return
        if _answers(CPU_TORCH_INDEX) and _pip_install("--index-url", CPU_TORCH_INDEX, cpu_version):
            return
        note("No build for the CPU alone can be had from here: taking the general one, a larger download.")
    else:
        say(f"Installing PyTorch {version}")
    if not _pip_install(f"torch=={version}"):
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise SetupError(
            f"PyTorch {version} could not be installed for Python {python}. Check the network and the free disk space;"
            " if there is no build for this Python, use Python 3.11 to 3.13:  make PYTHON=python3.12 run"
        )


def pinned_torch(constraints: str) -> str:
    """The version of torch that the constraints pin."""
    pins = [line.split("==")[1].strip() for line in constraints.splitlines() if line.startswith("torch==")]
    if len(pins) != 1:
        raise SetupError("constraints.txt must pin torch exactly once, as torch==VERSION.")
    return pins[0]


def _installed_torch() -> str:
    ask = "from importlib.metadata import version; print(version('torch'))"
    answer = subprocess.run([str(venv_program("python")), "-c", ask], capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def has_nvidia_gpu() -> bool:
    """Whether an NVIDIA driver runs here; asking the driver needs no package."""
    if Path("/proc/driver/nvidia/version").exists():
        return True
    program = shutil.which("nvidia-smi")
    return program is not None and subprocess.run([program, "-L"], capture_output=True, check=False).returncode == 0


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/torch/", timeout=CPU_TORCH_TIMEOUT_S):
            return True
    except (OSError, urllib.error.URLError):
        return False
