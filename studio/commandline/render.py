"""`lpm render`: a project's timeline becomes a film, the same as the studio's export and without a screen.

Called by `studio/cli.py`. The project is only read.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from engine.errors import BadInputError
from studio.commandline.console import ProgressLine
from studio.commandline.engines import report_details
from studio.commandline.perform import add_engine_arguments, check_targets, finish, load_pack_timed, write_film
from studio.commandline.portraits import warn_of_portrait, warn_of_turns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm render`."""
    parser.add_argument("project", type=Path, metavar="PROJECT", help="a project file (.lpm)")
    add_engine_arguments(parser)
    parser.add_argument(
        "--from", dest="start_frame", type=int, metavar="FRAME", help="the first frame (default: the in point, or 0)"
    )
    parser.add_argument(
        "--to",
        dest="end_frame",
        type=int,
        metavar="FRAME",
        help="the frame to stop before (default: the out point, or the end)",
    )


def run(options: argparse.Namespace) -> int:
    """Render and write the film; any `LpmError` is one line for the person."""
    check_targets(options, _files_read(options))
    if options.engine == "online":
        raise BadInputError(
            "--engine online: a project is rendered by the base model; use --engine base, or lpm perform --engine online"
        )

    from studio.film_job import FilmTarget
    from studio.project.render_plan import plan_render, render_job
    from studio.project.store import ProjectStore

    with ProjectStore(options.project, is_read_only=True) as store:
        plan = plan_render(store.project, store.media)
        job = render_job(plan, store.media)
        timeline = store.project.timeline
    frames = _stretch(options, timeline.in_frame, timeline.out_frame, plan.num_frames)
    pack, load_s = load_pack_timed(options.pack or plan.pack, options.device)
    warn_of_portrait(pack, job.character)
    warn_of_turns(pack, job.character, (prompt.text for prompt in job.prompts))
    details = report_details(pack, job, options) | {"project": str(options.project), "from": frames[0], "to": frames[1]}
    target = FilmTarget(path=options.output, size_px=pack.film_px, load_s=load_s, details=details, frames=frames)
    progress = ProgressLine(f"Rendering {options.project.name}")
    finish(write_film(pack, job, target, progress, options), options)
    return 0


def _files_read(options: argparse.Namespace) -> Iterator[Path]:
    yield options.project
    if options.pack is not None:
        from engine.loaded_pack import pack_files

        yield from pack_files(options.pack)


def _stretch(
    options: argparse.Namespace, in_frame: int | None, out_frame: int | None, num_frames: int
) -> tuple[int, int]:
    start = options.start_frame if options.start_frame is not None else in_frame or 0
    end = options.end_frame if options.end_frame is not None else out_frame or num_frames
    if not 0 <= start < end <= num_frames:
        raise BadInputError(
            f"{options.project}: frames {start}..{end} cannot be rendered; the project has 0..{num_frames}"
        )
    return start, end
