"""`lpm train RECIPE [key=value ...] [-o DIR]`: builds a recipe's run, changes the named settings and trains.

`lpm train PLAN --minutes N [-o DIR]` runs a whole plan instead (`training.plans`): `tiny` is the small pack from clips to live models.
"""

import argparse
import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch

from engine.allocator import keep_freed_memory
from engine.errors import BadInputError
from engine.media.files_to_write import check_folder_to_write
from engine.packs import MANIFEST_NAME
from training.parallel import join_world, leave_world, run_processes
from training.plans.cli import PLANS, PlanAsked, run_plan
from training.progress import print_json, print_line
from training.recipes.parts import CHINESE_FILE, MATTE_FILE, POSING_FILE
from training.recipes.places import DEFAULT_CLIPS, DEFAULT_PARTS, Places
from training.recipes.registry import RECIPES
from training.tiny_numbers import drop_tiny_numbers
from training.trainer import Trainer, TrainerConfig

DEFAULT_MINUTES: Final = 60.0
NEW_IN_OLD_PACKS: Final = {"tiny-chinese-text": CHINESE_FILE, "tiny-matte": MATTE_FILE, "tiny-posing": POSING_FILE}
"""What may be trained into the folder of a pack, as long as it has none."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm train`."""
    parser.add_argument(
        "recipe",
        choices=[*sorted(PLANS), *sorted(RECIPES)],
        metavar="RECIPE",
        help=f"what to train: a whole plan ({', '.join(sorted(PLANS))}) or one recipe ({', '.join(sorted(RECIPES))})",
    )
    parser.add_argument(
        "settings", nargs="*", default=(), metavar="key=value", help="settings of a recipe's run, e.g. num_steps=2000"
    )
    parser.add_argument(
        "-o", "--output", type=Path, help="the run's folder (default runs/RECIPE); resumes what is there"
    )
    parser.add_argument("--processes", type=int, default=1, help="single-threaded processes that share the work")
    parser.add_argument("--start-from", type=Path, help="a run or pack folder whose weights to start from")
    parser.add_argument(
        "--parts", type=Path, default=DEFAULT_PARTS, help="a folder of trained components to build upon"
    )
    parser.add_argument(
        "--clips",
        type=Path,
        help=f"the shards made by `lpm data clips` (default {DEFAULT_CLIPS}; a plan makes clips of its own)",
    )
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="where to train; cuda: a GPU a process"
    )
    parser.add_argument("--json", action="store_true", help="progress as JSON lines on standard output")
    parser.add_argument("--minutes", type=float, help="of a plan: how long it may train; measuring is not counted")
    parser.add_argument(
        "--anew", action="store_true", help="of a plan: train codec and encoders too, instead of --parts's"
    )


def run(options: argparse.Namespace) -> None:
    """Trains to the end of the schedule, or resumes."""
    folder = options.output or Path("runs") / options.recipe
    _check_folder(folder, options)
    if options.recipe in PLANS:
        _run_plan(options, folder)
        return
    if options.minutes is not None or options.anew:
        raise BadInputError(
            f"--minutes and --anew belong to plans ({', '.join(sorted(PLANS))}); {options.recipe} takes num_steps=N"
        )
    folder.mkdir(parents=True, exist_ok=True)
    job = functools.partial(
        train_recipe,
        options.recipe,
        Places(parts=options.parts, clips=options.clips or DEFAULT_CLIPS),
        tuple(options.settings),
        folder,
        options.start_from,
        options.device,
        options.json,
    )
    run_processes(job, options.processes)


def _check_folder(folder: Path, options: argparse.Namespace) -> None:
    """Refuse a folder that takes no files, and one whose weights the run reads or a pack is made of, before anything is computed."""
    check_folder_to_write(folder)
    start_from, new_file = options.start_from, NEW_IN_OLD_PACKS.get(options.recipe)
    if (folder / MANIFEST_NAME).exists() and (new_file is None or (folder / new_file).exists()):
        raise BadInputError(
            f"{folder}: is a model pack, whose weights would be overwritten; choose another folder for -o"
        )
    if start_from is not None and folder.exists() and start_from.exists() and folder.samefile(start_from):
        raise BadInputError(f"{folder}: is read and would be overwritten; choose another folder for -o")


def _run_plan(options: argparse.Namespace, folder: Path) -> None:
    if options.settings:
        raise BadInputError(f"{options.settings[0]!r}: a plan takes no settings of runs; give it --minutes")
    run_plan(
        PlanAsked(
            name=options.recipe,
            output=folder,
            minutes=DEFAULT_MINUTES if options.minutes is None else options.minutes,
            parts=options.parts,
            clips=options.clips,
            start_from=options.start_from,
            is_anew=options.anew,
            num_processes=options.processes,
            device_type=options.device,
            as_json=options.json,
        )
    )


def train_recipe(
    recipe: str,
    places: Places,
    settings: tuple[str, ...],
    folder: Path,
    start_from: Path | None,
    device_type: str,
    as_json: bool,
) -> None:
    """One process of a run."""
    keep_freed_memory()
    drop_tiny_numbers()
    world = join_world(device_type)
    torch.manual_seed(0)
    built = RECIPES[recipe](places)
    config = changed_config(built.config, settings)
    if start_from is not None:
        built.task.start_from(start_from)
    report: Callable[[dict[str, Any]], None] = print_json if as_json else print_line
    Trainer(built.task, config, folder, world).run(report)
    leave_world(world)


def changed_config(config: TrainerConfig, settings: tuple[str, ...]) -> TrainerConfig:
    """The config with `key=value` settings applied; `optimizer.KEY` and `scale.KEY` reach what lies within."""
    for setting in settings:
        key, _, text = setting.partition("=")
        group, _, name = key.rpartition(".")
        groups = {
            field.name for field in dataclasses.fields(config) if dataclasses.is_dataclass(field_of(config, field))
        }
        owner: Any = config.__dict__[group] if group in groups else config
        kinds = {field.name: type(field_of(owner, field)) for field in dataclasses.fields(owner)}
        if (group and group not in groups) or kinds.get(name) not in (int, float, str, bool):
            known = sorted(name for name, kind in kinds.items() if kind in (int, float, str, bool))
            raise BadInputError(f"{key!r} is not a setting of this run; known are {', '.join(known)}")
        try:
            value = as_switch(text) if kinds[name] is bool else kinds[name](text)
            changed = dataclasses.replace(owner, **{name: value})
        except ValueError as error:
            raise BadInputError(f"{setting!r}: {error}") from error
        config = changed if owner is config else dataclasses.replace(config, **{group: changed})
    return config


def field_of(owner: Any, field: dataclasses.Field[Any]) -> Any:
    """A field's value."""
    return owner.__dict__[field.name]


def as_switch(text: str) -> bool:
    """`yes` or `no`; `ValueError` for anything else."""
    if text not in ("yes", "no"):
        raise ValueError("give yes or no")
    return text == "yes"
