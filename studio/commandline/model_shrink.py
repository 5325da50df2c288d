"""`lpm models shrink`: a pack with int8 weights, and what that costs in pictures. Called by `studio/commandline/models.py`."""

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.characters import find_character, load_character
from engine.errors import BadInputError
from engine.media.files_to_write import check_folder_to_write
from studio.commandline.console import say

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine import Character

_SECONDS: Final = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm models shrink`."""
    parser.add_argument("pack", metavar="PACK", help="a pack's name or folder")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="the new pack's folder")
    parser.add_argument("--roles", nargs="+", metavar="ROLE", help="components to store as int8 (default: all)")
    parser.add_argument(
        "--character", default="maya", metavar="NAME_OR_DIR", help="whose film is compared (default maya)"
    )
    parser.add_argument("--json", action="store_true", help="as JSON on standard output")


def run(options: argparse.Namespace) -> int:
    """Write the pack and compare a short film of both."""
    from engine.loaded_pack import find_pack
    from engine.shrinking import shrink_pack

    folder = find_pack(options.pack)
    character = load_character(find_character(options.character))
    if not options.output.parent.is_dir():
        raise BadInputError(f"{options.output}: the folder {options.output.parent} does not exist; make it first")
    check_folder_to_write(options.output.parent)
    components = shrink_pack(folder, options.output, options.roles)
    report = {
        "bytes_before": sum(one.bytes_before for one in components),
        "bytes_after": sum(one.bytes_after for one in components),
        "components": {
            one.role: {
                "bytes_before": one.bytes_before,
                "bytes_after": one.bytes_after,
                "error_db": _rounded(one.error_db),
            }
            for one in components
        },
        "film_psnr_db": _rounded(_film_psnr_db(folder, options.output, character)),
    }
    if options.json:
        say(json.dumps(report, indent=1))
    else:
        _tell(report, options.output)
    return 0


def _film_psnr_db(first: Path, second: Path, character: "Character") -> float:
    """How alike the same two seconds are: spoken noise, the same seed."""
    import numpy as np

    from engine import PerformJob, load_pack, perform
    from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ

    sound_S = 0.1 * np.random.default_rng(0).standard_normal(_SECONDS * SOUND_RATE_HZ).astype(np.float32)
    job = PerformJob(character=character, num_frames=_SECONDS * FRAME_RATE_HZ, speak_S=sound_S)
    films: list[NDArray[np.uint8]] = [
        np.concatenate([piece.frames_THWC for piece in perform(load_pack(folder), job)]) for folder in (first, second)
    ]
    error = float(np.mean(np.square(films[0].astype(np.float32) - films[1].astype(np.float32))))
    return 10 * math.log10(255**2 / error) if error else math.inf


def _rounded(value: float) -> float | None:
    return round(value, 2) if math.isfinite(value) else None


def _tell(report: dict[str, Any], output: Path) -> None:
    for role, found in report["components"].items():
        error = "as it was" if found["error_db"] is None else f"rounding {found['error_db']:.1f} dB below the weights"
        say(f"{role:<16} {found['bytes_before'] / 1e6:>7.1f} -> {found['bytes_after'] / 1e6:>6.1f} MB  {error}")
    say(f"{output}: {report['bytes_before'] / 1e6:.1f} -> {report['bytes_after'] / 1e6:.1f} MB")
    if report["film_psnr_db"] is None:
        say("a film of both is the same to the last pixel")
    else:
        say(f"a film of both differs by {report['film_psnr_db']:.1f} dB PSNR")
