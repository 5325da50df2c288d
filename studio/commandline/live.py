"""`lpm live`: the live loop in real time from files, without a screen or a sound card; a film and latencies come out.

The partner's voice arrives at the pace of a microphone, frames are taken at the pace of a screen. Called by `studio/cli.py`.
"""

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.characters import find_character, load_character
from engine.errors import BadInputError
from engine.media.files_to_write import check_files_to_write
from engine.media.sound import read_sound, write_wav
from engine.media.whole_files import whole_file
from engine.memory import peak_memory_mb
from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ
from studio.commandline.console import ProgressLine, counted, say
from studio.commandline.perform import (
    DEFAULT_PACK,
    DEFAULT_SECONDS,
    add_device_argument,
    character_and_pack_files,
    load_pack_timed,
)
from studio.commandline.portraits import warn_of_portrait, warn_of_turns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine import LiveSession, LoadedPack
    from studio.live_player import PlayFigures

MOST_SECONDS: Final = 3600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm live`."""
    parser.add_argument(
        "--character", required=True, metavar="NAME_OR_DIR", help="who performs; see lpm character list"
    )
    parser.add_argument("--mic", type=Path, metavar="SOUND", help="the partner's voice, arriving as from a microphone")
    parser.add_argument("--speak", type=Path, metavar="SOUND", help="what the character says, known when it begins")
    parser.add_argument("--say", metavar="TEXT", help="a line that it speaks by text to speech, instead of a sound")
    parser.add_argument("--speak-at", type=float, default=0.0, metavar="S", help="when it begins to speak (default 0)")
    parser.add_argument(
        "--interrupt-at", type=float, action="append", default=[], metavar="S", help="cut it short; may be repeated"
    )
    parser.add_argument(
        "--prompt", default="", metavar="TEXT", help="a direction from the beginning, in words as for lpm perform"
    )
    parser.add_argument(
        "--direct-at",
        nargs=2,
        action="append",
        default=[],
        metavar=("S", "TEXT"),
        help='another direction from here on, such as 4 "happy, smiles"; may be repeated',
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="how long (default: the longer sound, else 5)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another number, another take (default 0)")
    parser.add_argument("--pack", metavar="NAME", help=f"a model pack's name or folder (default {DEFAULT_PACK})")
    add_device_argument(parser)
    add_engine_argument(parser)
    parser.add_argument(
        "--chunk", type=int, metavar="LATENTS", help="latents a chunk; fewer answer sooner (default: the pack's)"
    )
    parser.add_argument(
        "--light",
        action="store_true",
        help="less work a chunk, for machines without bf16 units; pictures follow less closely",
    )
    parser.add_argument(
        "--split",
        choices=("auto", "pipeline", "one worker"),
        default="auto",
        help="how cores share the work (default: measured beforehand)",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.mp4", help="the film of the session")
    parser.add_argument(
        "--report", type=Path, metavar="OUT.json", help="latencies as percentiles, memory, time by stage"
    )
    parser.add_argument(
        "--speak-track", type=Path, metavar="OUT.wav", help="what it said, on the film's clock: for lpm evaluate speech"
    )
    parser.add_argument("--trace", type=Path, metavar="OUT.json", help="the timeline, for chrome://tracing or Perfetto")


def add_engine_argument(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """`--engine` of what performs live."""
    parser.add_argument(
        "--engine",
        choices=("base", "online"),
        help="who performs: the base model in short windows, or the causal pair (default: the pair on an NVIDIA card, else the windows)",
    )


def run(options: argparse.Namespace) -> int:
    """Play the session and write the film; any `LpmError` is one line for the person."""
    _check(options)
    character = load_character(find_character(options.character))
    listen_S = options.mic and read_sound(options.mic)
    speak_S = _speak_sound(options)
    ends_s = [len(listen_S) / SOUND_RATE_HZ] if listen_S is not None else []
    ends_s += [options.speak_at + len(speak_S) / SOUND_RATE_HZ] if speak_S is not None else []
    seconds = min(options.seconds or max(ends_s, default=DEFAULT_SECONDS), MOST_SECONDS)

    from engine import LiveConfig, open_session, performing_live
    from engine.online.live import MICROPHONE_LAG_S
    from engine.online.split import choose_split
    from studio.live_player import FilmThread, LiveScript, play

    pack, load_s = load_pack_timed(options.pack or DEFAULT_PACK, options.device)
    warn_of_portrait(pack, character)
    prompt_at_s = directions(options.direct_at)
    warn_of_turns(pack, character, (options.prompt, *(text for _, text in prompt_at_s)))
    pack = performing_live(pack, options.engine)
    config = LiveConfig(
        seed=options.seed,
        prompt=options.prompt,
        chunk_latents=options.chunk,
        listen_lag_s=MICROPHONE_LAG_S,
        effort=int(options.light),
        most_waiting_s=max(seconds, 120.0),
    )
    split, measured = options.split, {}
    if split == "auto":
        choice = choose_split(character, pack, config)
        split, measured = choice.split, dict(choice.seconds_per_second)
    script = LiveScript(
        seconds=seconds,
        listen_S=listen_S,
        speak_S=None if speak_S is None else speak_S[: _samples_until(seconds - options.speak_at)],
        speak_at_s=options.speak_at,
        interrupt_at_s=tuple(options.interrupt_at),
        prompt_at_s=prompt_at_s,
    )
    film = FilmThread(options.output, pack.film_px, has_partner=listen_S is not None)
    progress = ProgressLine(f"{character.name} live")
    is_whole = False
    try:
        with open_session(character, pack, _split(config, split)) as session:
            figures = play(session, script, film.append, progress.show)
            report = _report(session, figures, pack, load_s) | {"split": split, "split_measured": measured}
            if options.trace is not None:
                session.trace.write(options.trace)
        is_whole = True
    finally:
        progress.clear()
        film.close(commit=is_whole)
    if options.speak_track is not None:
        write_wav(options.speak_track, film.speak_S)
    if options.report is not None:
        with whole_file(options.report) as temporary:
            temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _tell(report, options.output)
    return 0


def _samples_until(seconds: float) -> int:
    """Samples of a sound that are spoken before the session is over."""
    return max(round(seconds * SOUND_RATE_HZ), 0)


def _speak_sound(options: argparse.Namespace) -> "NDArray[np.float32] | None":
    """What the character says: a sound, or a typed line as speech."""
    if options.say is not None and options.speak is not None:
        raise BadInputError("--say and --speak: choose one of both")
    if options.say is not None:
        from studio.live.typed_voice import VOICES
        from studio.live.typed_voice import say as speak

        return speak(options.say, VOICES[0])
    return read_sound(options.speak) if options.speak is not None else None


def _split(config: Any, split: str) -> Any:
    from dataclasses import replace

    return replace(config, split=split)


def _check(options: argparse.Namespace) -> None:
    """Refuse what cannot be played or written, before anything is loaded."""
    named = {"-o": "output", "--report": "report", "--trace": "trace", "--speak-track": "speak_track"}
    check_files_to_write({option: vars(options)[name] for option, name in named.items()}, _files_read(options))
    if options.output.suffix.lower() != ".mp4":
        raise BadInputError(f"{options.output}: films are written as MP4; let the name end in .mp4")
    if not 0 <= options.seed < 2**63:
        raise BadInputError(f"--seed {options.seed}: choose a number from 0 up")
    if options.seconds is not None and not 1 / FRAME_RATE_HZ <= options.seconds <= MOST_SECONDS:  # NaN fails too
        raise BadInputError(f"--seconds {options.seconds:g}: choose more than 0 and at most {MOST_SECONDS:.0f}")
    directed_s = [at_s for at_s, _ in directions(options.direct_at)]
    timed = {"--speak-at": [options.speak_at], "--interrupt-at": options.interrupt_at, "--direct-at": directed_s}
    for name, times in timed.items():
        if any(not (math.isfinite(at_s) and 0 <= at_s <= MOST_SECONDS) for at_s in times):
            raise BadInputError(f"{name}: choose seconds from 0 to {MOST_SECONDS:.0f}")


def _files_read(options: argparse.Namespace) -> Iterator[Path | None]:
    yield from (options.mic, options.speak)
    yield from character_and_pack_files(options.character, options.pack or DEFAULT_PACK)


def directions(words: Sequence[Sequence[str]]) -> tuple[tuple[float, str], ...]:
    """Seconds and directions from pairs of words; `BadInputError` for what is no number or too long a direction."""
    from engine.online.live import checked_direction

    try:
        return tuple((float(at_s), checked_direction(text)) for at_s, text in words)
    except ValueError:
        raise BadInputError(
            '--direct-at takes seconds and a direction, such as --direct-at 4 "happy, smiles"'
        ) from None


def _report(session: "LiveSession", figures: "PlayFigures", pack: "LoadedPack", load_s: float) -> dict[str, Any]:
    from engine.online.figures import percentile

    found = session.report()
    plain = {name: _rounded(value) for name, value in asdict(found).items()}
    return plain | {
        "engine": "online" if pack.online is not None else "base, in windows",
        "pack": pack.manifest.name,
        "pack_version": pack.manifest.version,
        "device": str(pack.device),
        "size_px": pack.film_px,
        "chunk_frames": session.chunk_frames,
        "seconds": round(found.shown_frames / FRAME_RATE_HZ, 4),
        "frames": found.shown_frames,
        "load_s": round(load_s, 4),
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "memory_growth": round(figures.memory_growth, 5),
        "player_late_ms_p95": _rounded(1e3 * percentile(figures.late_s, 0.95)),
        "pull_ms_p95": _rounded(1e3 * percentile(figures.pull_s, 0.95)),
        "states": figures.states,
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value


def _tell(report: dict[str, Any], output: Path) -> None:
    say(
        f"{output}: {report['seconds']:.2f} s live, first frame after {report['first_frame_s']:.2f} s, "
        f"{counted(report['repeated_frames'], 'frame')} repeated, {report['real_time_factor']:.2f} s of work for each second"
    )
    if report["reaction_p95_s"] is not None:
        say(f"from sound to its frame: {report['reaction_p50_s']:.2f} s, 95 % within {report['reaction_p95_s']:.2f} s")
    if not report["engine"].startswith("online"):
        say(f"the base model of {report['pack']} performed, in windows of {counted(report['chunk_frames'], 'frame')}")
