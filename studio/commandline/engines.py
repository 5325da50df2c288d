"""What `--engine` decides: which options go together, who performs, and what the report says of it.

Called by `lpm perform` and `lpm render`. Whatever an engine cannot do is refused in one line, never left out silently.
"""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from engine.errors import BadInputError
from engine.locations import windows_dir

if TYPE_CHECKING:
    from engine import FilmPiece, LoadedPack, PerformJob

ENGINES: Final = ("base", "online")

_BASE_ALONE: Final = {
    "resume": "its films are made in one go",
    "steps": "its models are made for a number of steps of their own",
    "text_scale": "its models follow as strongly as they were made to",
    "speak_scale": "its models follow as strongly as they were made to",
    "listen_scale": "its models follow as strongly as they were made to",
}


def check_options(options: argparse.Namespace) -> None:
    """`BadInputError` for the first option that the engine asked for does not have."""
    if options.engine == "base":
        return
    for name, reason in _BASE_ALONE.items():
        value = vars(options)[name]
        if value is not None and value is not False:  # a scale of 0 is asked for too
            option = f"--{name.replace('_', '-')}"
            raise BadInputError(
                f"{option} does not go with --engine online: {reason}; leave it out, or use --engine base"
            )


def check_pack(options: argparse.Namespace, pack: "LoadedPack") -> None:
    """`BadInputError` for a pack that does not have the models of the engine asked for."""
    if options.engine == "online" and pack.online is None:
        raise BadInputError(f"--engine online: {pack.manifest.name} has no causal models; use --engine base")


def film_pieces(pack: "LoadedPack", job: "PerformJob", options: argparse.Namespace) -> Iterator["FilmPiece"]:
    """The film by the engine asked for. The base engine keeps its finished windows, so that a film that is stopped can be gone on with."""
    from engine import WindowStore, perform, perform_online

    if options.engine == "online":
        return perform_online(pack, job)
    store = WindowStore(options.work or windows_dir())
    return perform(pack, job, keep=store, reuse=store if options.resume else None)


def report_details(pack: "LoadedPack", job: "PerformJob", options: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, in the report beside what it cost."""
    details = {
        "engine": options.engine,
        "pack": pack.manifest.name,
        "pack_version": pack.manifest.version,
        "device": str(pack.device),
        "character": job.character.name,
        "size_px": pack.film_px,
        "seed": job.seed,
    }
    of_engine = _online_details(pack) if options.engine == "online" else _base_details(pack, job)
    asked = {
        "mutes": [
            {"track": mute.track, "start_frame": mute.start_frame, "end_frame": mute.end_frame} for mute in job.mutes
        ],
        "prompts": [
            {"start_frame": span.start_frame, "end_frame": span.end_frame, "text": span.text} for span in job.prompts
        ],
    }
    return details | of_engine | {"motion": _motion_details(pack)} | asked


def _base_details(pack: "LoadedPack", job: "PerformJob") -> dict[str, Any]:
    guidance = job.guidance or pack.guidance
    return {
        "steps": job.num_steps or pack.base.num_steps,
        "guidance": {"text": guidance.text, "speak": guidance.speak, "listen": guidance.listen},
        "guidance_branches": guidance.num_branches,
        "window": {
            "latents": pack.base.window_latents,
            "history": pack.base.history_latents,
            "overlap": pack.base.overlap_latents,
            "history_keep": pack.base.history_keep,
        },
    }


def _online_details(pack: "LoadedPack") -> dict[str, Any]:
    assert pack.online is not None, "the pack was checked before"
    settings = pack.online.settings
    return {
        "chunk": {
            "latents": settings.chunk_latents,
            "frames": settings.chunk_latents * pack.codec.frames_per_latent,
            "sink_chunks": settings.sink_chunks,
            "window_chunks": settings.window_chunks,
        },
        "timesteps": {
            "backbone": [round(timestep, 4) for timestep in settings.backbone_timesteps],
            "refiner": round(settings.refiner_timestep, 4),
        },
    }


def _motion_details(pack: "LoadedPack") -> dict[str, Any] | None:
    """How the pack plans motion before it draws; None where it plans none. The plan is what is guided."""
    if pack.motion is None:
        return None
    settings = pack.motion.settings
    return {"steps": settings.num_steps, "history_rows": settings.history_rows}
