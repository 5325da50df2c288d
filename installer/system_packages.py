"""The system's own packages that the studio needs and Python packages do not carry, and how to get them on each system.

Called by the bootstrap before the Python packages are installed. Standard library only; it must not know the studio's own code.
"""

import ctypes
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from console import note, run_quietly, say, warn

FESTIVAL_VOICES = "/usr/share/festival/voices/english"


@dataclass(frozen=True, kw_only=True)
class SystemPackage:
    """One thing of the system: how to see that it is there, the package that brings it, and what it is for.

    `probe` is the name of a shared library (`libEGL.so.1`), the path of a file or folder (`/usr/share/...`), or a program.
    """

    probe: str
    debian: str
    fedora: str
    arch: str
    purpose: str


def _package(probe: str, debian: str, fedora: str, arch: str, purpose: str) -> SystemPackage:
    return SystemPackage(probe=probe, debian=debian, fedora=fedora, arch=arch, purpose=purpose)


PACKAGES: tuple[SystemPackage, ...] = (
    _package("libportaudio.so.2", "libportaudio2", "portaudio", "portaudio", "microphone and loudspeakers"),
    _package("libEGL.so.1", "libegl1", "libglvnd-egl", "libglvnd", "drawing the window"),
    _package("libGL.so.1", "libgl1", "libglvnd-glx", "libglvnd", "drawing the window"),
    _package("libglib-2.0.so.0", "libglib2.0-0", "glib2", "glib2", "the window's event loop"),
    _package("libxkbcommon.so.0", "libxkbcommon0", "libxkbcommon", "libxkbcommon", "the keyboard"),
    _package("libxkbcommon-x11.so.0", "libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon-x11", "the keyboard"),
    _package("libfontconfig.so.1", "libfontconfig1", "fontconfig", "fontconfig", "finding fonts"),
    _package("libdbus-1.so.3", "libdbus-1-3", "dbus-libs", "dbus", "talking to the desktop"),
    _package("libxcb-cursor.so.0", "libxcb-cursor0", "xcb-util-cursor", "xcb-util-cursor", "windows on X11"),
    _package("libxcb-icccm.so.4", "libxcb-icccm4", "xcb-util-wm", "xcb-util-wm", "windows on X11"),
    _package("libxcb-keysyms.so.1", "libxcb-keysyms1", "xcb-util-keysyms", "xcb-util-keysyms", "windows on X11"),
    _package("libxcb-image.so.0", "libxcb-image0", "xcb-util-image", "xcb-util-image", "windows on X11"),
    _package(
        "libxcb-render-util.so.0", "libxcb-render-util0", "xcb-util-renderutil", "xcb-util-renderutil", "windows on X11"
    ),
    _package("libxcb-xkb.so.1", "libxcb-xkb1", "libxcb", "libxcb", "windows on X11"),
    _package("libflite_cmu_us_slt.so.1", "libflite1", "flite", "flite", "text to speech: recorded voices"),
    _package("festival", "festival", "festival", "festival", "text to speech: the voices held out for measuring"),
    _package(
        f"{FESTIVAL_VOICES}/kal_diphone", "festvox-kallpc16k", "festvox-kal-diphone", "festival-english", "its voice"
    ),
    _package(
        f"{FESTIVAL_VOICES}/ked_diphone", "festvox-kdlpc16k", "festvox-ked-diphone", "festival-english", "its voice"
    ),
)


def missing_packages() -> tuple[SystemPackage, ...]:
    """The packages of the table that this Linux does not have; nothing on other systems, whose wheels carry them."""
    if not sys.platform.startswith("linux"):
        return ()
    known = _linker_cache()
    return tuple(package for package in PACKAGES if not _is_there(package.probe, known))


def _is_there(probe: str, known_libraries: frozenset[str]) -> bool:
    if probe.startswith("/"):
        return Path(probe).exists()
    if ".so." in probe:
        return probe in known_libraries or _loads(probe)
    return shutil.which(probe) is not None


def _linker_cache() -> frozenset[str]:
    # /sbin is not on the search path of an ordinary person on Debian.
    ldconfig = shutil.which("ldconfig") or shutil.which("ldconfig", path="/sbin:/usr/sbin")
    if ldconfig is None:
        return frozenset()
    listing = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=False).stdout
    wanted = {"x86_64": "x86-64", "aarch64": "AArch64"}.get(platform.machine(), "libc6")
    return frozenset(line.split()[0] for line in listing.splitlines() if "=>" in line and wanted in line)


def _loads(soname: str) -> bool:
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def install_packages(missing: tuple[SystemPackage, ...]) -> None:
    """Install what is missing with apt where that is allowed; else say the one command to type. Never stops the set-up."""
    if not missing:
        return
    say("Packages of the system that are missing here:")
    for package in missing:
        note(f"{package.debian:<22} {package.purpose}")
    if shutil.which("apt-get"):
        install_debian_packages([package.debian for package in missing])
    else:
        warn("Please install them with:  " + _command_elsewhere(missing))
        note("Everything that can work without them goes on.")


def _command_elsewhere(missing: tuple[SystemPackage, ...]) -> str:
    if shutil.which("dnf"):
        return "sudo dnf install " + " ".join(sorted({package.fedora for package in missing}))
    if shutil.which("pacman"):
        return "sudo pacman -S --needed " + " ".join(sorted({package.arch for package in missing}))
    return "your system's package manager (" + ", ".join(package.probe for package in missing) + ")"


def install_debian_packages(packages: list[str]) -> bool:
    """Install Debian or Ubuntu packages; True when all of them are there afterwards. Says what it does first."""
    by_hand = "sudo apt-get install " + " ".join(packages)
    prefix = _root_prefix()
    if prefix is None:
        warn("Installing them needs the system's administrator. Please type:  " + by_hand)
        note("Everything that can work without them goes on.")
        return False
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=180"]
    install = [*apt, "install", "-y", "--no-install-recommends"]
    say("Installing with apt: " + " ".join(packages))
    if run_quietly([*install, *packages]):
        return True
    note("The package lists are out of date or empty: fetching them (apt-get update).")
    run_quietly([*apt, "update"])
    if run_quietly([*install, *packages]):
        return True
    # One package that this release does not have must not cost the others.
    failed = [package for package in packages if not run_quietly([*install, package])]
    if failed:
        warn("These could not be installed: " + " ".join(failed) + "  (see the messages above)")
    return not failed


def _root_prefix() -> list[str] | None:
    """What to put before a command so that it runs as root: nothing, sudo, or None where neither is possible."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None:
        return None
    asks_nothing = subprocess.run([sudo, "-n", "true"], capture_output=True, stdin=subprocess.DEVNULL, check=False)
    if asks_nothing.returncode == 0:
        return [sudo, "-n"]
    if sys.stdin.isatty() and sys.stderr.isatty():
        say("Your password is asked for by sudo, to install the packages named here and nothing else.")
        return [sudo]
    return None


def describe_system() -> str:
    """A line that changes when this checkout is moved to another system, for the stamp."""
    release = Path("/etc/os-release")
    distribution = release.read_text(encoding="utf-8", errors="replace") if release.is_file() else ""
    return f"{platform.platform(terse=True)} {platform.machine()} {distribution}"
