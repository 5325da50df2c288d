"""`lpm bench stream`: what live performing costs on this machine. Called by `studio/commandline/bench.py`."""

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.characters import find_character, load_character
from engine.errors import BadInputError, LpmError
from studio.commandline.console import counted, say
from studio.commandline.live import add_engine_argument

if TYPE_CHECKING:
    from engine import Character, LoadedPack
    from engine.benchmarks.conversation import Voices
    from engine.benchmarks.mouth_closing import CutPictures
    from engine.benchmarks.reaction import Recording

_UNREAD: Final = "the pictures could not be read; lpm evaluate pictures says why"
_PARTNER_TEXT: Final = (
    "So I went down to the harbour this morning, early, before anybody was up. The boats were all in, and the water was like glass. "
    "I stood there for an hour, I think. Then the old man from the corner shop came by, and guess what he told me? They will sell "
    "the whole pier. All of it! I could not believe my ears."
)
_ANSWER_TEXT: Final = (
    "Really? I had no idea. My brother used to work there every summer, mending nets and painting hulls. We should do something about "
    "it before it is too late. Let us write to the paper, and ask the neighbours what they think. Would you come with me tomorrow?"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that only `stream` reads."""
    group = parser.add_argument_group("live performing, measured by stream")
    group.add_argument("--character", default="maya", metavar="NAME_OR_DIR", help="who performs (default maya)")
    group.add_argument(
        "--minutes", type=float, nargs="+", default=[1.0], metavar="M", help="lengths of film to make (default 1)"
    )
    group.add_argument(
        "--real-time", type=float, default=10.0, metavar="S", help="seconds to play in real time (default 10)"
    )
    add_engine_argument(group)
    group.add_argument("--chunk", type=int, metavar="LATENTS", help="latents a chunk (default: the pack's)")
    group.add_argument(
        "--reactions",
        type=int,
        default=3,
        metavar="N",
        help="random moments of each kind (heard, said, directed, interrupted) to time the answer at, with the chunk that answers "
        "soonest unless --chunk says otherwise; half a minute each moment, 0 leaves it out (default 3)",
    )
    group.add_argument(
        "--float32", action="store_true", help="compute in float32, as machines without bf16 matrix units do"
    )
    group.add_argument("--light", action="store_true", help="less work a chunk, as lpm live --light")
    group.add_argument("--curves", type=Path, metavar="OUT.jpg", help="a picture of cost, memory and drift over time")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The figures; `BadInputError` for what cannot be measured."""
    character = load_character(find_character(options.character))

    import torch

    from engine import load_pack, performing_live
    from engine.benchmarks.conversation import keep_pictures
    from engine.benchmarks.running import machine
    from engine.benchmarks.stream import StreamShape, measure_stream
    from engine.devices import chosen_device
    from engine.precision import FORMAT_VARIABLE

    if options.float32:
        os.environ[FORMAT_VARIABLE] = "float32"
    try:
        shape = StreamShape(
            minutes=tuple(options.minutes),
            real_time_s=options.real_time,
            chunk_latents=options.chunk,
            effort=int(options.light),
            num_runs=options.runs,
        )
    except ValueError as error:
        raise BadInputError(str(error)) from error
    device = chosen_device(options.device)
    facts = machine(device) | {"device": str(device)}
    if options.reactions < 0:
        raise BadInputError(f"--reactions {options.reactions}: choose 0 or more moments")
    pack, voices = load_pack(options.pack, options.device), _voices()
    pack = performing_live(pack, options.engine)
    with tempfile.TemporaryDirectory(prefix="lpm-bench-") as name:
        folders = [Path(name) / str(number) for number in range(len(shape.minutes))]
        for folder in folders:
            folder.mkdir()
        looks = [keep_pictures(folder) for folder in folders]
        found = measure_stream(pack, character, shape, voices, looks)
        for length, folder in zip(found["lengths"], folders, strict=True):
            length["drift"] = _drift(folder, options.character, length["minutes"])
        if options.reactions:
            found["reaction"] = _reactions(pack, character, voices, options, found["split"], Path(name))
    found["drift"] = {key: value for key, value in found["lengths"][-1]["drift"].items() if key != "curve"}
    if device.type == "cuda":
        found["peak_card_memory_mb"] = round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    if options.curves is not None:
        from engine.benchmarks.curve_sheet import write_curves

        write_curves(options.curves, found["lengths"][-1])
    return {"benchmark": "stream", **facts, **found}


def _voices() -> "Voices":
    """Both sides' words as espeak says them; noise where that is not installed."""
    from engine.benchmarks.conversation import Voices
    from studio.live.typed_voice import VOICES
    from studio.live.typed_voice import say as speak

    try:
        return Voices(listen_S=speak(_PARTNER_TEXT, VOICES[1]), speak_S=speak(_ANSWER_TEXT, VOICES[0]))
    except LpmError:
        return Voices.noise()


def _reactions(
    pack: "LoadedPack",
    character: "Character",
    voices: "Voices",
    options: argparse.Namespace,
    split: str,
    folder: Path,
) -> dict[str, Any]:
    """From change to changed frame and from cut to closed mouth, in real time with the chunk that answers soonest."""
    from engine.benchmarks.answering import WAYS_TO_CUT, low_latency, measure_reactions, play_interruptions
    from engine.online.live import MICROPHONE_LAG_S, LiveConfig

    chunk_latents = options.chunk or low_latency(pack)
    config = LiveConfig(
        chunk_latents=chunk_latents, split=split, listen_lag_s=MICROPHONE_LAG_S, effort=int(options.light)
    )
    found = {
        "chunk_frames": chunk_latents * pack.codec.frames_per_latent,
        **measure_reactions(pack, character, config, voices, options.reactions),
    }
    for way in WAYS_TO_CUT:
        recording, pictures = play_interruptions(pack, character, config, voices, options.reactions, way)
        found[way] = _closing(recording, pictures, options.character, folder / way)
    return found


def _closing(recording: "Recording", pictures: "CutPictures", character: str, place: Path) -> dict[str, Any]:
    """When mouths were closed and how the pictures went on; those around the cuts are kept in the new folder `place`."""
    from engine.benchmarks.mouth_closing import closing_figures, cuts_of, join_figures
    from engine.media.pictures import write_picture

    place.mkdir()
    for index, picture_HWC in pictures.by_frame.items():
        write_picture(place / f"{index:08d}.png", picture_HWC)
    table = _read_pictures(place, character)
    if table is None:
        return {"not_measured": _UNREAD}
    openings = {int(row["name"][:8]): float(row["mouth_open"]) for row in table["pictures"]}
    return closing_figures(cuts_of(recording, openings), openings) | join_figures(recording, pictures.by_frame)


def _drift(folder: Path, character: str, minutes: float) -> dict[str, Any]:
    """Identity and colour minute by minute."""
    from engine.benchmarks.drift import PictureReading, drift_figures

    if minutes < 1:
        return {"not_measured": "drift is measured over whole minutes; make at least one"}
    table = _read_pictures(folder, character)
    if table is None:
        return {"not_measured": _UNREAD}
    readings = [
        PictureReading(
            name=row["name"],
            identity_distance=row["identity_distance"],
            is_own_nearest=row["is_own_nearest"],
            face_lab=tuple(row["face_lab"]),
        )
        for row in table["pictures"]
    ]
    return drift_figures(readings, table["of_others"])


def _read_pictures(folder: Path, character: str) -> dict[str, Any] | None:
    """What the benchmark's eye sees in a folder of pictures, in a process of its own; None where it cannot."""
    from studio.commandline.handover import hand_over

    report = folder / "pictures.json"
    words = ["evaluate", "pictures", str(folder), "--character", character, "--report", str(report)]
    if hand_over(words) != 0:
        return None
    table: dict[str, Any] = json.loads(report.read_text("utf-8"))
    return table


def tell(figures: dict[str, Any]) -> None:
    """The figures that matter most, in words."""
    say(
        f"{figures['pack']}: {figures['generator']}, chunks of {counted(figures['chunk_frames'], 'frame')}, {figures['split']}"
    )
    computing = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in figures["cpu_stages_s"].items())
    say(
        f"a second of film keeps the busiest worker busy for {figures['real_time_factor']:.2f} s; computing: {computing}"
    )
    say(
        f"first frame after {figures['first_frame_s']:.2f} s; {counted(figures['sessions_in_real_time'], 'session')} in real time"
    )
    for length in figures["lengths"]:
        say(
            f"{length['minutes']:g} min of film: {length['chunk_ms_p50']:.0f} ms a chunk (95 % within "
            f"{length['chunk_ms_p95']:.0f}), memory {length['memory_growth']:+.2%}"
        )
        for minute, there in length["drift"].get("at_minute", {}).items():
            say(
                f"  minute {minute}: identity distance {there['identity_distance']:.3f}, nearest of 64 in "
                f"{there['own_nearest']:.0%}, face dE00 {there['face_de00']:.2f}"
            )
    for kind, found in figures.get("reaction", {}).items():
        if kind == "chunk_frames":
            say(f"answers with chunks of {counted(found, 'frame')}:")
        elif "cuts" in found:
            way = "" if kind == "interruption" else ", waiting for the boundary,"
            say(f"  from cut to closed mouth{way} {found['closed_p50_s']} s, 95 % within {found['closed_p95_s']} s")
        elif "moments" in found:
            say(
                f"  {kind}: first changed frame after {found['changed_p50_s']} s, 95 % within {found['changed_p95_s']} s, "
                f"{found['in_first_chunk']:.0%} in the first chunk"
            )
    for way, ms in figures["caching_ms_a_chunk"].items():
        if not way.endswith("latents"):
            say(f"  {way:<42} {ms:>8.1f} ms")
