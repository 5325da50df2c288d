"""`lpm evaluate references|train-trait-reader` on the command line.

Called by `cli`. It reads arguments, starts worker processes, tells what is going on and writes the report; nothing is measured here.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import torch

from engine import load_pack
from engine.allocator import keep_freed_memory
from engine.errors import BadInputError
from engine.loaded_pack import find_pack, pack_files
from engine.media.files_to_write import check_folder_to_write
from engine.packs import MANIFEST_NAME, file_sha256
from training.actor.voices import VoicePool
from training.bench.hidden_traits import HIDDEN_TRAITS
from training.bench.pack_films import PackFilms, codec_round_trip
from training.bench.reference_ablation import (
    FACE_SEEDS,
    SHOWN_EXPRESSIONS,
    AblationConfig,
    AblationJudge,
    FaceResult,
)
from training.bench.reference_ablation_figures import CHANCE, figures_of
from training.bench.reference_ablation_sheet import write_ablation_sheet
from training.bench.regressor import load_regressor
from training.bench.report import check_report, figures_table, write_report
from training.bench.terminal import show, tell
from training.bench.trait_reader import (
    DEFAULT_FOLDER,
    LEAST_AUC,
    TraitReader,
    TraitReaderConfig,
    load_trait_reader,
    save_trait_reader,
)
from training.bench.trait_reader_training import TraitReaderRecipe, draw_smiles, reading_hits, train_trait_reader
from training.bench.worker_processes import worker_processes

CHECK_SEED: Final = 5
CHECK_FACES: Final = 800
NOTES: Final = {
    "with": f"the global picture and the expression references {' and '.join(SHOWN_EXPRESSIONS)}; sound, words and seed are the same",
    "without": "the global picture alone; it is the same for both twins of a face, and so is the film, so chance is exactly a half",
    "floor": "the reader on the truth's own frames",
    "ceiling": "the reader on the truth through the pack's codec: the best that these latents allow",
    "interval": "95 %, bootstrap over faces of two twins each",
    "readable": f"traits that the reader tells from single drawn pictures with an area under the curve of at least {LEAST_AUC:g}; "
    "the others are reported without a bar and have no part in the mean over traits",
    "own_picture": "share of films whose lower face is nearer to their own truth's than to the twin's, no network judging",
    "dimples_drawn": "the face drawn with dimples and without in the poses of the film's frames: which of the two these are nearer to",
    "back_print": "other twins, who differ in what is printed on their backs and are told to turn round: shown from behind too, "
    "and by the global one alone",
    "mouth_distance": "root mean square over the lower face, each cut where its own mouth is; poses that differ count too",
}


def add_arguments(jobs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The arguments of both jobs."""
    ablation = jobs.add_parser("references", help="what expression references are worth: teeth and dimples of 32 twins")
    ablation.add_argument("--pack", default="lpm-tiny", help="name or folder of the model pack")
    ablation.add_argument(
        "--report", type=Path, required=True, help="where the JSON report goes; a contact sheet lies beside it"
    )
    ablation.add_argument(
        "--faces", type=int, default=AblationConfig.num_faces, help="how many faces of two twins each"
    )
    ablation.add_argument("--workers", type=int, default=2, help="single-threaded processes that share the work")
    reader = jobs.add_parser("train-trait-reader", help="train anew what the ablation reads teeth and dimples with")
    reader.add_argument("-o", "--output", type=Path, default=DEFAULT_FOLDER, help="the reader's folder")
    reader.add_argument("--faces", type=int, default=TraitReaderRecipe.num_faces, help="smiles to draw")
    reader.add_argument("--steps", type=int, default=TraitReaderRecipe.num_steps, help="most steps")
    reader.add_argument(
        "--minutes", type=float, default=TraitReaderRecipe.max_s / 60.0, help="most minutes of training"
    )


@dataclass(frozen=True, kw_only=True)
class WorkerSetup:
    """What a worker needs to build its judge; hashable, so that it is built once."""

    pack: str
    num_frames: int


@lru_cache(maxsize=1)
def judge_of(setup: WorkerSetup) -> AblationJudge:
    """The judge of this process."""
    torch.set_num_threads(1)
    keep_freed_memory()
    pack = load_pack(setup.pack)
    return AblationJudge(
        regressor=load_regressor(),
        reader=load_trait_reader(),
        maker=PackFilms(pack=pack),
        round_trip=partial(codec_round_trip, pack),
        voices=VoicePool.discover().for_evaluation(),
        num_frames=setup.num_frames,
    )


def judge_face(setup: WorkerSetup, face: int) -> FaceResult:
    """Runs in a worker."""
    return judge_of(setup).judge_face(face)


def run_ablation(setup: WorkerSetup, config: AblationConfig, num_workers: int) -> Iterator[FaceResult]:
    """Faces in their order."""
    with worker_processes(num_workers) as executor:
        yield from executor.map(partial(judge_face, setup), range(config.num_faces))


def run_ablation_job(options: argparse.Namespace) -> None:
    """Judges a pack."""
    if options.faces < 2:
        raise BadInputError(f"--faces {options.faces}: intervals need at least two faces")
    config = AblationConfig(num_faces=options.faces)
    folder, started_s = find_pack(options.pack), time.monotonic()
    sheet = options.report.parent / f"{options.report.stem}.jpg"
    check_report(options.report, pack_files(folder), sheet)
    reader, regressor = load_trait_reader(), load_regressor()
    faces = []
    for face in run_ablation(
        WorkerSetup(pack=str(folder), num_frames=config.num_frames), config, max(1, options.workers)
    ):
        faces.append(face)
        tell(f"{len(faces)} of {config.num_faces} faces judged, {time.monotonic() - started_s:.0f} s")
    figures, seconds = figures_of(faces, reader.readable), time.monotonic() - started_s
    write_report(
        options.report,
        {
            "command": f"lpm evaluate references --pack {folder.name}",
            "pack": {"folder": folder.name, "manifest_sha256": file_sha256(folder / MANIFEST_NAME)},
            "trait_reader": {"sha256": reader.sha256, "auc": reader.auc, "readable": reader.readable},
            "regressor_sha256": regressor.sha256,
            "notes": NOTES,
            "references": {figure.name: figure.as_table() for figure in figures},
            "chance": CHANCE,
            "config": asdict(config),
            "characters": 2 * len(faces),
            "identity_seeds": [FACE_SEEDS, FACE_SEEDS + config.num_faces - 1],
            "seconds": round(seconds, 1),
        },
    )
    write_ablation_sheet(sheet, faces)
    head = (
        f"Expression references: {folder.name}, {len(faces)} faces of two twins each, trait reader {reader.sha256[:12]}"
    )
    show("\n".join([head, figures_table(figures), f"chance is {CHANCE:g}; {seconds:.0f} s in all"]))
    show(f"report {options.report}, pictures {sheet}")


def run_reader_job(options: argparse.Namespace) -> None:
    """Trains the trait reader and says how well it reads pictures that it never saw."""
    check_folder_to_write(options.output)
    torch.set_num_threads(1)
    keep_freed_memory()
    recipe = TraitReaderRecipe(num_faces=options.faces, num_steps=options.steps, max_s=60.0 * options.minutes)
    config = TraitReaderConfig()
    tell(f"drawing {recipe.num_faces} smiles")
    network = TraitReader(config)
    train_trait_reader(network, draw_smiles(recipe.num_faces, config, recipe.seed), recipe)
    hits = reading_hits(network, draw_smiles(CHECK_FACES, config, CHECK_SEED))
    sha256 = save_trait_reader(network, options.output, {name: round(hits[name], 4) for name in HIDDEN_TRAITS})
    show("\n".join(f"{name:14} {hits[name]:.3f}" for name in HIDDEN_TRAITS))
    show(f"saved in {options.output}, sha256 {sha256}")
