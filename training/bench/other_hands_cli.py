"""`lpm evaluate other-hands` on the command line: portraits in a style that no pack learned from.

Called by `cli`. It reads arguments, tells what is going on and writes the report; nothing is measured here.
"""

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import torch

from engine import load_pack
from engine.allocator import keep_freed_memory
from engine.errors import BadInputError
from engine.loaded_pack import find_pack, pack_files
from engine.media.pictures import write_picture
from engine.packs import MANIFEST_NAME, file_sha256
from training.actor.voices import VoicePool
from training.bench.other_hands import figures_of, judge_head
from training.bench.pack_films import PackFilms
from training.bench.regressor import load_regressor
from training.bench.report import check_report, figures_table, write_report
from training.bench.terminal import show, tell

NUM_HEADS: Final = 24
SHEET_COLUMNS: Final = 3
NOTES: Final = {
    "heads": "flat vector heads by code that shares nothing with the actor's; one portrait each, and no pack has learned from any",
    "own_nearest": "the mean face of a speaking film, as the regressor reads it, is nearest to its own portrait among all heads'",
    "areas_kept": "of wall, skin, hair and clothes, each one colour in the portrait: the share of pixels of that colour in portrait and "
    "films, the smaller through the larger one",
    "mouth_r": "opening as read from the film against the exact opening of the actor's own performance of that sound",
    "expression_accuracy": "the regressor has seen the actor's style alone: what it does not read somebody may see",
    "interval": "95 %, bootstrap over heads",
}


def add_arguments(jobs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The arguments of the job."""
    other = jobs.add_parser("other-hands", help="portraits in a style that no pack learned from: what is kept of them")
    other.add_argument("--pack", default="lpm-tiny", help="name or folder of the model pack")
    other.add_argument(
        "--report", type=Path, required=True, help="where the JSON report goes; a contact sheet lies beside it"
    )
    other.add_argument("--heads", type=int, default=NUM_HEADS, help=f"how many heads (default {NUM_HEADS})")


def run_other_hands_job(options: argparse.Namespace) -> None:
    """Judges a pack on other hands' portraits."""
    torch.set_num_threads(1)
    keep_freed_memory()
    if options.heads < 2:
        raise BadInputError(f"--heads {options.heads}: whose face it is is judged among at least two heads")
    folder, sheet = find_pack(options.pack), options.report.parent / f"{options.report.stem}.png"
    check_report(options.report, pack_files(folder), sheet)
    maker, regressor = PackFilms(pack=load_pack(folder, "cpu")), load_regressor()
    voices, results = VoicePool.discover().for_evaluation(), []
    for seed in range(options.heads):
        results.append(judge_head(seed, maker, regressor, voices))
        tell(f"head {seed + 1} of {options.heads}")
    figures = figures_of(results)
    report = {
        "command": f"lpm evaluate other-hands --pack {folder.name}",
        "pack": {"folder": folder.name, "manifest_sha256": file_sha256(folder / MANIFEST_NAME)},
        "regressor_sha256": regressor.sha256,
        "notes": NOTES,
        "heads": len(results),
        "other_hands": {figure.name: figure.as_table() for figure in figures},
    }
    write_report(options.report, report)
    strips = [each.strip_HWC for each in results]
    strips += [np.zeros_like(strips[0])] * (-len(strips) % SHEET_COLUMNS)
    rows = [
        np.concatenate(strips[start : start + SHEET_COLUMNS], axis=1) for start in range(0, len(strips), SHEET_COLUMNS)
    ]
    write_picture(sheet, np.concatenate(rows))
    show(figures_table(figures))
    show(f"report {options.report}, pictures {sheet} (portrait, two moments of talking, one of feeling)")
