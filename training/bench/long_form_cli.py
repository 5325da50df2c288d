"""`lpm evaluate drift|seams` on the command line.

Called by `cli`. It reads arguments, tells what is going on and writes the report; nothing is measured here.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from engine.allocator import keep_freed_memory
from engine.base.seams import Jumps, SeamFigures, SeamMeter
from engine.characters import character_files, find_character, list_characters, load_character
from engine.errors import BadInputError
from engine.loaded_pack import pack_files
from engine.media.files_to_write import check_files_to_write
from engine.media.film_reading import read_film_frames
from engine.packs import MANIFEST_NAME, file_sha256
from engine.shapes import FRAME_RATE_HZ
from training.bench.report import check_report, write_report

if TYPE_CHECKING:
    from engine import FilmPiece, LoadedPack, PerformJob
    from training.bench.long_form import LongFormFigures

MOST_SECONDS: Final = 7200.0
MAX_REPORT_BYTES: Final = 2**24
NOTES: Final = {
    "identity_distance": "1 - cosine of what the regressor reads from a frame and from the global picture; four frames a second",
    "slope_per_minute": "least squares over stretches of five seconds; interval 95 %, bootstrap over stretches",
    "of_others": "mean distance of the other characters' pictures from this one's",
    "first, last": "means over the first and the last tenth of the film",
    "seams": "medians in levels of 0..255: mean difference of pixels, and step of the mean colour, from frame to frame",
    "memory_mb": "resident, after five seconds of film and at its end, with the benchmark's own reading",
}


def add_arguments(jobs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The arguments of both jobs."""
    drift = jobs.add_parser("drift", help="a long conversation: identity over time, joins, memory, price")
    drift.add_argument("--pack", default="lpm-tiny", help="name or folder of the model pack")
    drift.add_argument("--device", help="auto, cpu, cuda, cuda:1 or mps (default: LPM_DEVICE, else auto)")
    drift.add_argument("--seconds", type=float, default=120.0, help="how long (default 120)")
    drift.add_argument("--character", default="maya", help="who performs: a name or a folder")
    drift.add_argument("--seed", type=int, default=0, help="another conversation and another take")
    drift.add_argument("--report", type=Path, required=True, help="where the JSON report goes")
    drift.add_argument("--film", type=Path, help="where the film goes, for a person's eyes (MP4)")
    seams = jobs.add_parser("seams", help="whether the joins of a film can be seen")
    seams.add_argument("film", type=Path, help="a film made by lpm perform")
    seams.add_argument("--joins", type=Path, required=True, help="the report that lpm perform --report wrote beside it")
    seams.add_argument("--report", type=Path, help="where the JSON report goes")


def run_seams_job(options: argparse.Namespace) -> None:
    """Measures the joins of a film file, as it was encoded."""
    from training.bench.terminal import show

    check_report(options.report, (options.film, options.joins))
    joins, meter = read_joins(options.joins), SeamMeter()
    meter.add((), joins)
    for frame_HWC in read_film_frames(options.film):
        meter.add(frame_HWC[None])
    figures = meter.figures()
    if options.report is not None:
        write_report(options.report, {"film_file": options.film.name, "seams": figures.as_table()})
    show(seams_text(figures))


def run_drift_job(options: argparse.Namespace) -> None:
    """Performs a long conversation and measures it."""
    from engine import load_pack, perform
    from training.actor.voices import VoicePool
    from training.bench.long_form import conversation_job, measure_long_form
    from training.bench.regressor import load_regressor
    from training.bench.terminal import show, tell

    if not 1.0 <= options.seconds <= MOST_SECONDS or not 0 <= options.seed < 2**31:
        raise BadInputError(f"--seconds {options.seconds:g}: choose 1 to {MOST_SECONDS:g}, and a --seed from 0 up")
    _check_targets(options)
    torch.set_num_threads(1)
    keep_freed_memory()
    folder = find_character(options.character)
    character = load_character(folder)
    others = tuple(load_character(card.folder) for card in list_characters() if card.folder != folder)
    pack, regressor = load_pack(options.pack, options.device), load_regressor()
    tell(f"writing a conversation of {options.seconds:.0f} s")
    num_frames = round(options.seconds * FRAME_RATE_HZ)
    job = conversation_job(character, num_frames, options.seed, VoicePool.discover().for_evaluation())
    pieces = perform(pack, job)
    if options.film is not None:
        pieces = _filmed(pieces, job, options.film, pack.film_px)
    figures = measure_long_form(pieces, character, others, regressor, tell)
    head = {
        "pack": {"folder": pack.folder.name, "manifest_sha256": file_sha256(pack.folder / MANIFEST_NAME)},
        "regressor_sha256": regressor.sha256,
        "character": character.name,
        "seed": options.seed,
        "settings": sampling_table(pack),
        "notes": NOTES,
    }
    write_report(options.report, {**head, **figures.as_table()})
    show(drift_text(figures, pack))


def _check_targets(options: argparse.Namespace) -> None:
    read = (*character_files(options.character), *pack_files(options.pack))
    check_files_to_write({"--film": options.film}, read)
    check_files_to_write({"--report": options.report, "--film": options.film}, read, makes_folders=True)


def sampling_table(pack: "LoadedPack") -> dict[str, Any]:
    """How the pack samples: steps, sampler, guidance and its branches, windows."""
    base = asdict(pack.base)
    del base["residual_std"]  # a number for each channel: what the weights were trained with, no choice of sampling
    if pack.motion is not None:
        base["motion"] = asdict(pack.motion.settings)
        del base["motion"]["rest"]
    return base | {"guidance_branches": pack.guidance.num_branches}


def read_joins(report: Path) -> tuple[int, ...]:
    """The frames at which windows meet, from a report of `lpm perform`; `BadInputError` for anything else."""
    try:
        if report.stat().st_size > MAX_REPORT_BYTES:
            raise ValueError("it is too large")
        frames = json.loads(report.read_text(encoding="utf-8"))["join_frames"]
        if not isinstance(frames, list) or not all(isinstance(frame, int) and frame > 0 for frame in frames):
            raise ValueError("join_frames must be a list of frames")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInputError(f"{report}: no report of lpm perform ({error}); make the film with --report") from None
    return tuple(frames)


def drift_text(figures: "LongFormFigures", pack: "LoadedPack") -> str:
    """The table for a terminal."""
    lines = [f"{pack.folder.name}: {figures.seconds:.0f} s of conversation"]
    for name, title in (("identity_distance", "identity distance"), ("sharpness", "sharpness")):
        drift, (first, last) = figures.slope_per_minute(name), figures.ends(name)
        told = "film too short for a slope"
        if drift is not None:
            told = f"{drift.value:+.5f} a minute ({drift.interval[0]:+.5f} .. {drift.interval[1]:+.5f})"
        lines.append(f"{title:24} {told}; {first:.4f} at first, {last:.4f} at last")
    lines.append(f"{'other characters':24} at a distance of {figures.others_distance:.4f}")
    lines.append(seams_text(figures.seams))
    lines.append(
        f"{'memory':24} {figures.memory_first_mb:.0f} MB at first, {figures.memory_last_mb:.0f} MB at last, "
        f"{figures.memory_peak_mb:.0f} MB at most"
    )
    work_s = sum(figures.stages_s.values()) / figures.seconds
    stages = ", ".join(f"{name} {value / figures.seconds:.2f}" for name, value in figures.stages_s.items())
    lines.append(
        f"{'price':24} {work_s:.2f} s of work for each second ({stages}); "
        f"steps {pack.base.num_steps}, guidance branches {pack.guidance.num_branches}"
    )
    return "\n".join(lines)


def seams_text(figures: SeamFigures) -> str:
    """Two lines for a terminal."""
    return "\n".join(
        f"{title:24} {_jumps_text(jumps)}"
        for title, jumps in (("jump at joins", figures.picture), ("colour step at joins", figures.colour))
    )


def _jumps_text(jumps: Jumps) -> str:
    if jumps.at_joins is None or jumps.inside is None:
        return "there are no joins"
    ratio = "-" if jumps.ratio is None else f"{jumps.ratio:.3f}"
    verdict = "not to be seen" if jumps.is_hidden else "TO BE SEEN"
    return f"{jumps.at_joins:.3f}, inside {jumps.inside:.3f}: ratio {ratio} (at most 1.1), {verdict}"


def _filmed(pieces: "Iterator[FilmPiece]", job: "PerformJob", path: Path, size_px: int) -> "Iterator[FilmPiece]":
    """The same pieces, written to a film on their way."""
    from engine.media.film import FilmWriter
    from engine.media.film_sound import FilmSound

    sound = FilmSound(speak_S=job.track("speak"), listen_S=job.track("listen"))
    with FilmWriter(path, size_px=size_px, sound=sound) as film:
        for piece in pieces:
            film.append(piece.frames_THWC)
            yield piece
        film.commit()
