"""`lpm evaluate languages` on the command line: directions in Chinese beside the same in English.

Called by `cli`. It reads arguments, tells what is going on and writes the report; nothing is measured here.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Final

import torch

from engine import load_pack
from engine.allocator import keep_freed_memory
from engine.errors import BadInputError
from engine.loaded_pack import find_pack, pack_files
from engine.packs import MANIFEST_NAME, file_sha256
from training.actor.voices import VoicePool
from training.bench.languages import figures_of, judge_languages
from training.bench.pack_films import PackFilms
from training.bench.regressor import load_regressor
from training.bench.report import check_report, figures_table, write_report
from training.bench.terminal import show, tell

NUM_ACTORS: Final = 24
NOTES: Final = {
    "directions": "of two directions of gaze or head, one after the other, the share carried out, each in its own time; as in quick",
    "feeling": "of actors that are told a feeling first: the share in whose first moment it is the one read",
    "english": "the plainest words; chinese: a wording by lot for the same, in simplified characters or traditional ones",
    "untold": "the same clip with nothing told: what chance gives",
    "interval": "95 %, bootstrap over actors",
}


def add_arguments(jobs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The arguments of the job."""
    languages = jobs.add_parser("languages", help="directions in Chinese beside the same in English")
    languages.add_argument("--pack", default="lpm-tiny", help="name or folder of the model pack")
    languages.add_argument("--report", type=Path, required=True, help="where the JSON report goes")
    languages.add_argument("--cases", type=int, default=NUM_ACTORS, help=f"how many actors (default {NUM_ACTORS})")


def run_languages_job(options: argparse.Namespace) -> None:
    """Judges what a pack does when it is told in Chinese."""
    torch.set_num_threads(1)
    keep_freed_memory()
    if options.cases < 2:
        raise BadInputError(f"--cases {options.cases}: an interval needs two actors at least")
    folder = find_pack(options.pack)
    check_report(options.report, pack_files(folder))
    maker, regressor = PackFilms(pack=load_pack(folder, "cpu")), load_regressor()
    voices, results = VoicePool.discover().for_evaluation(), []
    for actor in range(options.cases):
        results.append(judge_languages(actor, maker, regressor, voices))
        tell(f"actor {actor + 1} of {options.cases}")
    figures = figures_of(results)
    report = {
        "command": f"lpm evaluate languages --pack {folder.name}",
        "pack": {"folder": folder.name, "manifest_sha256": file_sha256(folder / MANIFEST_NAME)},
        "regressor_sha256": regressor.sha256,
        "notes": NOTES,
        "actors": len(results),
        "languages": {figure.name: figure.as_table() for figure in figures},
        "each": [asdict(each) for each in results],
    }
    write_report(options.report, report)
    show(figures_table(figures))
    show(f"report {options.report}")
