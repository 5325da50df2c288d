"""`python -m training films-to-judge --parts PACK --clips FOLDER -o VOTES`: films of several seeds, for people to vote on (paper 3.2).

Into VOTES/scenes goes a film a seed for each scene (`scene-000001-0.mp4`, with its sound), beside the scene itself. Whoever looks at
them writes a line a vote into VOTES/pairs.jsonl, as `training.dpo.pairs` describes it; `lpm train dpo --parts PACK --clips VOTES` learns
from it.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from engine.errors import BadInputError
from engine.loaded_pack import load_pack
from engine.media.files_to_write import check_folder_to_write
from engine.media.film import FilmWriter
from engine.media.film_sound import FilmSound
from engine.shapes import FRAME_RATE_HZ
from training.dpo.film_scenes import film_frames, film_scene
from training.dpo.pairs import scene_path, write_scene
from training.fine_tuning.clip_folder import FILM_NAME, clip_sounds, read_folder

SAMPLES_PER_FRAME = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `python -m training films-to-judge`."""
    parser.add_argument("--parts", type=Path, required=True, help="the pack whose base model makes the films")
    parser.add_argument(
        "--clips", type=Path, required=True, help="a folder of clips as fine-tuning takes it, which lends scenes"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder of films and votes")
    parser.add_argument("--scenes", type=int, default=16, help="how many scenes (default 16)")
    parser.add_argument("--seeds", type=int, default=2, help="films a scene (default 2)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long a film is, about (default 2)")


def run(options: argparse.Namespace) -> None:
    """Makes what is not there yet."""
    if options.scenes < 1 or options.seeds < 2 or not options.seconds > 0:
        raise BadInputError(
            "a vote needs a scene, two films and some time; give --scenes 1, --seeds 2, --seconds 1 or more"
        )
    check_folder_to_write(options.output)
    pack = load_pack(options.parts, "cpu")
    window_s = pack.base.new_latents * pack.codec.frames_per_latent / FRAME_RATE_HZ
    num_windows = max(1, round(options.seconds / window_s))
    num_latents = num_windows * pack.base.new_latents
    clips = read_folder(options.clips, pack, least_latents=num_latents + 1)
    folders = sorted(path.parent for path in options.clips.glob(f"*/{FILM_NAME}"))
    for number in range(options.scenes):
        name = f"scene-{number:06d}"
        if scene_path(options.output, name).exists():
            continue
        clip, rng = clips[number % len(clips)], np.random.default_rng([number, 83])
        start = int(rng.integers(clip.clips["latents_FCHW"].shape[1] - num_latents))
        scene = film_scene(pack, clip, start, num_windows, options.seeds, number)
        first = (start + 1) * pack.codec.frames_per_latent * SAMPLES_PER_FRAME
        speak_S, listen_S = (sound_S[first:] for sound_S in clip_sounds(folders[number % len(clips)]))
        (options.output / "scenes").mkdir(parents=True, exist_ok=True)
        for seed, frames_THWC in enumerate(film_frames(pack, scene)):
            path = options.output / "scenes" / f"{name}-{seed}.mp4"
            with FilmWriter(path, size_px=pack.size_px, sound=FilmSound(speak_S=speak_S, listen_S=listen_S)) as film:
                film.append(frames_THWC)
                film.commit()
        write_scene(options.output, name, scene)
        sys.stdout.write(f"{name}: {options.seeds} films\n")
