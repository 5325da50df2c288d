"""`lpm evaluate quick|speech|drift|seams|pictures|references|train-regressor|train-trait-reader`: LPM-Bench on the command line.

Called by `python -m training`. It reads arguments, tells what is going on on standard error, prints tables on standard output and
writes reports; nothing is measured here.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from engine.allocator import keep_freed_memory
from engine.errors import BadInputError
from engine.loaded_pack import find_pack, pack_files
from engine.media.files_to_write import check_folder_to_write
from engine.media.film_voice import read_film_voice
from engine.media.sound import read_sound
from engine.packs import MANIFEST_NAME, file_sha256
from training.bench import languages_cli, long_form_cli, other_hands_cli, pictures_cli, reference_ablation_cli
from training.bench.bars import BASE_BARS, LIVE_BARS
from training.bench.contact_sheet import write_contact_sheet
from training.bench.pack_films import Maker, pack_crew
from training.bench.quick import QuickConfig, QuickRun, full_config, run_quick
from training.bench.regressor import DEFAULT_FOLDER, BenchRegressor, RegressorConfig, load_regressor, save_regressor
from training.bench.regressor_data import draw_pictures
from training.bench.regressor_training import RegressorRecipe, read_errors, train_regressor
from training.bench.report import check_report, figures_table, write_report
from training.bench.speech_check import gate, level_db, read_opening, speech_figures, speech_report, speech_table
from training.bench.terminal import show, tell

CHECK_SEED = 5
CHECK_IDENTITIES = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm evaluate`."""
    jobs = parser.add_subparsers(dest="job", required=True)
    quick = jobs.add_parser(
        "quick", help="32 held-out actors: mouth, identity, expression, directions, listening, codec"
    )
    quick.add_argument("--pack", default="lpm-tiny", help="name or folder of the model pack")
    quick.add_argument(
        "--report", type=Path, required=True, help="where the JSON report goes; a contact sheet lies beside it"
    )
    quick.add_argument(
        "--live", action="store_true", help="judge the live session (backbone and refiner, where the pack has them)"
    )
    quick.add_argument("--full", action="store_true", help="more actors, longer clips, no limit of time")
    quick.add_argument(
        "--cases",
        type=int,
        help="how many actors, however long it takes (default: 32 or as many as a quarter of an hour is enough for; with --full 96)",
    )
    quick.add_argument("--workers", type=int, default=2, help="single-threaded processes that share the work")
    speech = jobs.add_parser("speech", help="how closely the mouth of a film follows a recorded voice")
    speech.add_argument("film", type=Path, help="a film at 24 frames a second")
    speech.add_argument(
        "sound", type=Path, nargs="?", help="the voice it was made for (default: what the character says in the film)"
    )
    speech.add_argument("--wrong", type=Path, help="another voice (default: the same one, turned round in time)")
    speech.add_argument("--report", type=Path, help="where the JSON report goes")
    long_form_cli.add_arguments(jobs)
    pictures_cli.add_arguments(jobs)
    other_hands_cli.add_arguments(jobs)
    languages_cli.add_arguments(jobs)
    reader = jobs.add_parser("train-regressor", help="train anew what the benchmark reads films with")
    reader.add_argument("-o", "--output", type=Path, default=DEFAULT_FOLDER, help="the regressor's folder")
    reader.add_argument("--identities", type=int, default=RegressorRecipe.num_identities, help="actors to draw")
    reader.add_argument("--steps", type=int, default=RegressorRecipe.num_steps, help="most steps")
    reader.add_argument("--minutes", type=float, default=60.0, help="most minutes of training")
    reference_ablation_cli.add_arguments(jobs)


def run(options: argparse.Namespace) -> None:
    """Does one job; `LpmError` for what a person can mend."""
    {
        "quick": run_quick_job,
        "speech": run_speech_job,
        "drift": long_form_cli.run_drift_job,
        "seams": long_form_cli.run_seams_job,
        "pictures": pictures_cli.run_pictures_job,
        "languages": languages_cli.run_languages_job,
        "other-hands": other_hands_cli.run_other_hands_job,
        "references": reference_ablation_cli.run_ablation_job,
        "train-regressor": run_training_job,
        "train-trait-reader": reference_ablation_cli.run_reader_job,
    }[options.job](options)


def run_quick_job(options: argparse.Namespace) -> None:
    """Judges a pack."""
    config = chosen_config(full=options.full, num_actors=options.cases)
    folder, sheet = find_pack(options.pack), options.report.with_suffix(".png")
    check_report(options.report, pack_files(folder), sheet)
    regressor = load_regressor()
    maker: Maker = "live" if options.live else "film"
    with pack_crew(str(folder), DEFAULT_FOLDER, config, max(1, options.workers), maker) as crew:
        quick = run_quick(crew, config, tell, LIVE_BARS if options.live else BASE_BARS)
    head = {
        "pack": {"folder": folder.name, "manifest_sha256": file_sha256(folder / MANIFEST_NAME)},
        "regressor_sha256": regressor.sha256,
        "notes": NOTES,
    }
    write_report(options.report, {**head, **quick.as_table("live" if options.live else "base")})
    write_contact_sheet(sheet, quick.results)
    show(quick_text(quick, folder, regressor.sha256))
    show(f"report {options.report}, pictures {sheet} (truth above, film below; speaking left, listening right)")


def chosen_config(*, full: bool, num_actors: int | None) -> QuickConfig:
    """The config that the arguments ask for; as many actors as are asked for take the time that they take."""
    config = full_config() if full else QuickConfig()
    if num_actors is None:
        return config
    if num_actors < 2:
        raise BadInputError(f"--cases {num_actors}: identity is judged among at least two actors")
    return replace(
        config,
        num_actors=num_actors,
        num_counterfactuals=min(config.num_counterfactuals, num_actors),
        max_s=float("inf"),
    )


NOTES = {
    "floor": "the regressor on the truth's own frames: what its noise alone costs",
    "ceiling": "the truth through the pack's codec: the best that these latents allow",
    "interval": "95 %, bootstrap over actors",
    "identity_top1": "a clip counts as a miss where its motion is below 0.4 of the truth's; of the actor's own other speaking clips "
    "that of 6 in 100 is",
    "false_lip_rate": "share of frames open by more than 15 % of the 95th percentile of the truth's opening in speech, "
    "beyond what the expression by itself parts the lips (the median read from the truth's closed mouth)",
    "motion_ratio": "mean over six channels of the deviation over time in fixed units, against that of the truth's frames",
    "closures_seen": "p, b, m out of or into an opening of at least 0.2 of the truth: within 2 frames the film comes within 0.25 of that "
    "opening to what is read from the truth's closing, and opens by 0.4 of it on each side on which the truth opens",
    "closures_by_chance": "the same film's mouth turned round in time, mean over all turns by more than a quarter of a second",
    "sibling_top1": "three frames of the speaking clip are nearer to the actor than to each of 63 characters that differ from it in one "
    "trait, all drawn in the pose and expression that these frames show (found by drawing, for the nearest with their own face again); "
    "a clip that hardly moves is a miss",
    "siblings_farther": "share of these siblings that are farther from these frames than the actor is",
    "directions_hit": "two directions of gaze or head in one clip: half a second after each begins, the asked channel goes from rest to "
    "the asked side by 0.4 of what the truth's frames show, and as much further than while the other direction is in force",
    "nods": "dips of pitch of at least 0.06 rad, within 6 frames of the bottom of a nod that the rule calls for",
}


def quick_text(quick: QuickRun, folder: Path, regressor_sha256: str) -> str:
    """The table with what one must know to read it."""
    stages = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in quick.stages_s.items())
    return "\n".join(
        [
            f"LPM-Bench quick: {folder.name}, {len(quick.results)} held-out actors, regressor {regressor_sha256[:12]}",
            figures_table(list(quick.figures)),
            f"{quick.wall_s:.0f} s in all; work over all processes: {stages}",
        ]
    )


def run_speech_job(options: argparse.Namespace) -> None:
    """Checks one film against a voice."""
    check_report(options.report, (options.film, options.sound, options.wrong))
    torch.set_num_threads(1)
    regressor = load_regressor()
    sound_S = read_film_voice(options.film) if options.sound is None else read_sound(options.sound)
    wrong_S = read_sound(options.wrong) if options.wrong is not None else None
    opening_T = read_opening(regressor, options.film)
    film = speech_figures(opening_T, sound_S, wrong_S)
    plain_gate = speech_figures(gate(level_db(sound_S, len(opening_T))), sound_S, wrong_S)
    if options.report is not None:
        sound_name = "the film's own" if options.sound is None else options.sound.name
        head = {"film_file": options.film.name, "sound_file": sound_name, "frames": len(opening_T)}
        write_report(options.report, {**head, "regressor_sha256": regressor.sha256, **speech_report(film, plain_gate)})
    show(speech_table(film, plain_gate))


def run_training_job(options: argparse.Namespace) -> None:
    """Trains the regressor and says how well it reads pictures that it never saw."""
    check_folder_to_write(options.output)
    torch.set_num_threads(1)
    keep_freed_memory()
    recipe = RegressorRecipe(num_identities=options.identities, num_steps=options.steps, max_s=60.0 * options.minutes)
    tell(f"drawing {recipe.num_identities * recipe.frames_per_identity} pictures")
    size_px = RegressorConfig.picture_px
    pictures = draw_pictures(recipe.num_identities, recipe.frames_per_identity, size_px, recipe.seed)
    network = BenchRegressor(RegressorConfig(identity_truth_width=pictures.identity_NV.shape[1]))
    train_regressor(network, pictures, recipe)
    unseen = draw_pictures(CHECK_IDENTITIES, recipe.frames_per_identity, size_px, CHECK_SEED)
    errors = read_errors(network, unseen)
    sha256 = save_regressor(network, options.output, {name: f"{value:.3f}" for name, value in errors.items()})
    show("\n".join(f"{name:18} {value:.3f}" for name, value in errors.items()))
    show(f"saved in {options.output}, sha256 {sha256}")
