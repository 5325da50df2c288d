"""`lpm perform`: a character speaks, listens, or both, and a film with sound comes out.

Bad input is told before the model is loaded, in one line. Called by `studio/cli.py`.
"""

import argparse
import logging
import math
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from engine.characters import Character, character_files, find_character, load_character
from engine.errors import BadInputError
from engine.media.files_to_write import check_files_to_write
from engine.media.pictures import read_picture
from engine.media.rates import SAMPLES_PER_FRAME, frames_for_samples
from engine.media.samples import SpooledSound
from engine.media.sound import MAX_SOUND_S, spool_sound
from engine.shapes import FRAME_RATE_HZ, PROMPT_FRAMES
from studio.commandline.console import ProgressLine, counted, say
from studio.commandline.engines import ENGINES, check_options, check_pack, film_pieces, report_details
from studio.commandline.portraits import warn_of_portrait, warn_of_turns

if TYPE_CHECKING:
    from engine import GuidanceScales, LoadedPack, MuteSpan, PerformJob
    from engine.base.job import Track
    from studio.film_job import FilmReport, FilmTarget

_log = logging.getLogger(__name__)

DEFAULT_PACK: Final = "lpm-tiny"
DEFAULT_SECONDS: Final = 5.0
PROMPTS_FORMAT: Final = f"""\
a file for --prompts holds a list of spans, in frames of 1/{FRAME_RATE_HZ} s or in seconds, that do not overlap and lie within the film:
  [{{"start_frame": 0, "end_frame": 48, "text": "smiles"}}, {{"start_s": 2, "end_s": 5.5, "text": "grows serious"}}]
or a list of words alone, each for {PROMPT_FRAMES} frames and the last to the film's end:
  ["smiles", "grows serious"]"""
_MAX_STEPS: Final = 1000
_MAX_SCALE: Final = 20.0
_SPAN_S: Final = re.compile(r"(\d{1,5}(?:\.\d{1,6})?)-(\d{1,5}(?:\.\d{1,6})?)")


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Everything a person gave, read and checked."""

    character: Character
    speak_S: SpooledSound | None
    listen_S: SpooledSound | None
    num_frames: int
    first_frame_HWC: NDArray[np.uint8] | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm perform`."""
    parser.formatter_class, parser.epilog = argparse.RawDescriptionHelpFormatter, PROMPTS_FORMAT
    parser.add_argument(
        "--character", required=True, metavar="NAME_OR_DIR", help="who performs; see lpm character list"
    )
    parser.add_argument(
        "--speak", type=Path, metavar="SOUND", help="the character's own voice: WAV, FLAC, Ogg, MP3, M4A ..."
    )
    parser.add_argument("--listen", type=Path, metavar="SOUND", help="the partner's voice, which the character hears")
    words = parser.add_mutually_exclusive_group()
    words.add_argument(
        "--prompt",
        action="append",
        metavar="TEXT",
        help='a direction, such as "happy, nods, then looks left", in English or Chinese words for lpm-tiny (packs with UMT5 know '
        f"more languages); given several times each holds for {PROMPT_FRAMES} frames, the last to the end",
    )
    words.add_argument("--prompts", type=Path, metavar="FILE.json", help="directions with their spans, as below")
    for track, whose in (("speak", "the own voice"), ("listen", "the partner's voice")):
        parser.add_argument(
            f"--mute-{track}",
            action="append",
            metavar="FROM-TO",
            help=f"seconds in which {whose} is as if it were not there, such as 2-4.5; may be given several times",
        )
    add_engine_arguments(parser)
    parser.add_argument("--seconds", type=float, metavar="S", help="how long (default: the longer sound, else 5)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another number, another take (default 0)")
    parser.add_argument("--first-frame", type=Path, metavar="PICTURE", help="a picture that the film starts from")
    parser.add_argument("--steps", type=int, metavar="N", help="denoising steps (default: the pack's; base only)")
    for name, meaning in (
        ("text", "the directions are"),
        ("speak", "the own voice is"),
        ("listen", "the partner's voice is"),
    ):
        parser.add_argument(
            f"--{name}-scale", type=float, metavar="X", help=f"how strongly {meaning} followed (base only)"
        )


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that `lpm perform` and `lpm render` share."""
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="base",
        help="who performs: base, the pack's large model, in windows; online, the causal models that also perform live, in chunks "
        "(default base)",
    )
    parser.add_argument("--pack", metavar="NAME", help=f"a model pack's name or folder (default {DEFAULT_PACK})")
    add_device_argument(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.mp4", help="the film to write")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="OUT.json",
        help="what it took and what it is: time by stage, memory, seams, settings",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="reuse every part that an earlier run finished under the same inputs: a stopped film goes on, and of a "
        "changed one only what the change reaches is made anew (base only)",
    )
    parser.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="where finished parts are kept (default: the cache folder; online keeps none)",
    )


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """`--device`, which every verb has that performs."""
    parser.add_argument(
        "--device",
        metavar="D",
        help="what computes: auto, cpu, cuda, cuda:1 or mps (default: what the environment says as LPM_DEVICE, else auto: an NVIDIA "
        "card where one is, else the processor)",
    )


def run(options: argparse.Namespace) -> int:
    """Perform and write the film; any `LpmError` is one line for the person."""
    check_targets(options, _files_read(options))
    check_options(options)
    inputs = read_inputs(options)
    check_numbers(options)

    from engine import PerformJob
    from studio.film_job import FilmTarget
    from studio.prompt_file import prompts_of_words, read_prompts

    if options.prompts is not None:
        prompts = read_prompts(options.prompts, inputs.num_frames)
    else:
        prompts = prompts_of_words(options.prompt or (), inputs.num_frames, "--prompt")
    pack, load_s = load_pack_timed(options.pack or DEFAULT_PACK, options.device)
    check_pack(options, pack)
    warn_of_portrait(pack, inputs.character)
    warn_of_turns(pack, inputs.character, (prompt.text for prompt in prompts))
    job = PerformJob(
        character=inputs.character,
        num_frames=inputs.num_frames,
        speak_S=inputs.speak_S,
        listen_S=inputs.listen_S,
        mutes=_mutes(options),
        prompts=prompts,
        first_frame_HWC=inputs.first_frame_HWC,
        seed=options.seed,
        num_steps=options.steps,
        guidance=_guidance(options, pack),
    )
    details = report_details(pack, job, options) | {
        "speak": options.speak and str(options.speak),
        "listen": options.listen and str(options.listen),
        "first_frame": options.first_frame and str(options.first_frame),
    }
    target = FilmTarget(path=options.output, size_px=pack.film_px, load_s=load_s, details=details)
    progress = ProgressLine(f"Performing {inputs.character.name}")
    finish(write_film(pack, job, target, progress, options), options)
    return 0


def write_film(
    pack: "LoadedPack", job: "PerformJob", target: "FilmTarget", progress: ProgressLine, options: argparse.Namespace
) -> "FilmReport":
    """Run the engine into the file."""
    from studio.film_job import make_film

    done_frames = 0

    def show(done: int, total: int) -> None:
        nonlocal done_frames
        done_frames = done
        progress.show(done, total)

    try:
        return make_film(job, film_pieces(pack, job, options), target, show)
    except KeyboardInterrupt:
        progress.clear()
        if done_frames and options.engine == "base":
            say(f"{done_frames / FRAME_RATE_HZ:.1f} s are finished; the same command with --resume goes on from there")
        raise
    finally:
        progress.clear()


def finish(report: "FilmReport", options: argparse.Namespace) -> None:
    """Write the report where one is wanted and tell what was made."""
    if options.report is not None:
        report.write(options.report)
    reused = (
        f" ({report.windows.num_reused} of {counted(report.windows.num_made + report.windows.num_reused, 'part')} reused)"
        if report.windows.num_reused
        else ""
    )
    say(
        f"{options.output}: {report.seconds:.2f} s, {counted(report.frames, 'frame')}{reused}; "
        f"{report.real_time_factor:.1f} s of work for each second, {report.peak_memory_mb:.0f} MB at most"
    )


def check_targets(options: argparse.Namespace, read: Iterable[Path | None]) -> None:
    """Refuse a film or a report that could not be written or would replace what is `read`, before anything else is done."""
    if options.output.suffix.lower() != ".mp4":
        raise BadInputError(f"{options.output}: films are written as MP4; let the name end in .mp4")
    check_files_to_write({"-o": options.output, "--report": options.report}, read)


def _files_read(options: argparse.Namespace) -> Iterator[Path | None]:
    yield from (options.speak, options.listen, options.prompts, options.first_frame)
    yield from character_and_pack_files(options.character, options.pack or DEFAULT_PACK)


def character_and_pack_files(character: str, pack: str) -> Iterator[Path]:
    """Every file of who performs and of the models; `LpmError` where there is no such character or pack."""
    yield from character_files(character)

    from engine.loaded_pack import pack_files

    yield from pack_files(pack)


def check_numbers(options: argparse.Namespace) -> None:
    """Refuse a seed, steps or scales that no engine takes."""
    if not 0 <= options.seed < 2**63:
        raise BadInputError(f"--seed {options.seed}: choose a number from 0 up")
    if options.steps is not None and not 1 <= options.steps <= _MAX_STEPS:
        raise BadInputError(f"--steps {options.steps}: choose a number from 1 to {_MAX_STEPS}")
    for name in ("text_scale", "speak_scale", "listen_scale"):
        value = vars(options)[name]
        if value is not None and not 0.0 <= value <= _MAX_SCALE:  # NaN fails too
            raise BadInputError(f"--{name.replace('_', '-')} {value}: choose a number from 0 to {_MAX_SCALE:g}")


def read_inputs(options: argparse.Namespace) -> Inputs:
    """Read and check the person's files; `BadInputError` or `CharacterError` with the first that cannot be used."""
    seconds = options.seconds
    if seconds is not None and not (math.isfinite(seconds) and 1 / FRAME_RATE_HZ <= seconds <= MAX_SOUND_S):
        raise BadInputError(f"--seconds {seconds:g}: choose more than 0 and at most {MAX_SOUND_S} (2 hours)")
    asked_frames = None if seconds is None else max(1, round(seconds * FRAME_RATE_HZ))
    max_samples = None if asked_frames is None else asked_frames * SAMPLES_PER_FRAME
    character = load_character(find_character(options.character))
    speak_S, listen_S = (path and spool_sound(path, max_samples) for path in (options.speak, options.listen))
    longest = max((frames_for_samples(len(track)) for track in (speak_S, listen_S) if track is not None), default=0)
    return Inputs(
        character=character,
        speak_S=speak_S,
        listen_S=listen_S,
        num_frames=asked_frames or longest or round(DEFAULT_SECONDS * FRAME_RATE_HZ),
        first_frame_HWC=options.first_frame and read_picture(options.first_frame),
    )


def _mutes(options: argparse.Namespace) -> "tuple[MuteSpan, ...]":
    speak = tuple(_mute("speak", words) for words in options.mute_speak or ())
    return speak + tuple(_mute("listen", words) for words in options.mute_listen or ())


def _mute(track: "Track", words: str) -> "MuteSpan":
    from engine import MuteSpan

    found = _SPAN_S.fullmatch(words.strip())
    start, end = (round(float(second) * FRAME_RATE_HZ) for second in found.groups()) if found else (0, 0)
    if not start < end:
        raise BadInputError(f"--mute-{track} {words}: give two times in seconds, the later one second, such as 2-4.5")
    return MuteSpan(track=track, start_frame=start, end_frame=end)


def load_pack_timed(name: str, device: str | None = None) -> tuple["LoadedPack", float]:
    """The pack on the device asked for, and the seconds that loading it took."""
    from engine import load_pack

    began_s = time.perf_counter()
    pack = load_pack(name, device)
    return pack, time.perf_counter() - began_s


def _guidance(options: argparse.Namespace, pack: "LoadedPack") -> "GuidanceScales | None":
    scales = {"text": options.text_scale, "speak": options.speak_scale, "listen": options.listen_scale}
    given = {name: value for name, value in scales.items() if value is not None}
    if not given:
        return None
    from dataclasses import replace

    return replace(pack.guidance, **given)
