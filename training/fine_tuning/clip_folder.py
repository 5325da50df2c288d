"""A person's folder of clips as training features: films in, latents and rows of a pack's encoders out.

    FOLDER/ANY_NAME/clip.mp4          the film, square-cropped; any frame rate from 12 up, its frames nearest to 24 a second are taken
                    speak.wav         what the character says in it, from the film's start on (silence without)
                    listen.wav        what it hears
                    clip.txt          what happens in it, in a line of direction
                    references/global.png     a picture of the character

This is what `lpm actor clip -o FOLDER/ANY_NAME` writes, but for the line. A clip without a picture of its own takes the first frame of
the next clip, so that nothing can be copied from the reference. Files are strangers' and opened as such.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.encoders.protocol import AudioRows
from engine.errors import BadInputError
from engine.loaded_pack import LoadedPack
from engine.media.film_reading import probe_film, read_film_frames
from engine.media.pictures import read_picture, square_crop
from engine.media.sound import read_sound
from engine.pixels import as_pixels
from engine.precision import fast_autocast
from engine.shapes import FRAME_RATE_HZ
from training.data.windows import ClipFeatures

FILM_NAME: Final = "clip.mp4"
LEAST_RATE_HZ: Final = 12.0
LONGEST_S: Final = 60
ENCODE_FRAMES: Final = 96


@dataclass(frozen=True, kw_only=True)
class RawClip:
    """One clip as read: frames at 24 a second and the pack's size, sounds at 24 kHz."""

    frames_THWC: NDArray[np.uint8]
    speak_S: NDArray[np.float32]
    listen_S: NDArray[np.float32]
    text: str
    reference_HWC: NDArray[np.uint8] | None


def read_folder(folder: Path, pack: LoadedPack, least_latents: int) -> list[ClipFeatures]:
    """Every clip's features, one `ClipFeatures` each; `BadInputError` names the clip, or the pack, that cannot be used."""
    config, per_latent = pack.transformer.config, pack.codec.frames_per_latent
    for window, encoder in ((config.speak_window, pack.speak_encoder), (config.listen_window, pack.listen_encoder)):
        if window.rows_per_latent != 1 or window.rows_after or encoder.frames_per_row != per_latent:
            raise BadInputError(
                f"{pack.manifest.name} hears several rows a latent, or ahead; only packs with one can be fine-tuned yet"
            )
    paths = sorted(path for path in folder.glob(f"*/{FILM_NAME}"))
    if not paths:
        raise BadInputError(f"{folder} holds no clips; put each into a folder of its own as {FILM_NAME}")
    raw = [read_clip(path.parent, pack.size_px) for path in paths]
    least_frames = pack.codec.num_frames(least_latents)
    for path, clip in zip(paths, raw, strict=True):
        if len(clip.frames_THWC) < least_frames:
            seconds = least_frames / FRAME_RATE_HZ
            raise BadInputError(f"{path} has {len(clip.frames_THWC)} frames; a clip needs at least {seconds:.1f} s")
    following = itertools.islice(itertools.cycle(raw), 1, None)
    return [clip_features(clip, after, pack) for clip, after in zip(raw, following)]


def read_clip(folder: Path, size_px: int) -> RawClip:
    """One clip's files."""
    path = folder / FILM_NAME
    facts = probe_film(path)
    if facts.frame_rate_hz < LEAST_RATE_HZ or facts.video_s > LONGEST_S:
        raise BadInputError(
            f"{path} has {facts.frame_rate_hz:.3g} frames a second and {facts.video_s:.3g} s; clips need at least "
            f"{LEAST_RATE_HZ:g} and at most {LONGEST_S} s; cut it or export it again"
        )
    frames = [square_crop(frame_HWC, size_px) for frame_HWC in read_film_frames(path)]
    num_frames = max(1, round(len(frames) * FRAME_RATE_HZ / facts.frame_rate_hz))
    nearest = np.round(np.arange(num_frames) * facts.frame_rate_hz / FRAME_RATE_HZ).astype(int)
    reference, text = folder / "references" / "global.png", folder / "clip.txt"
    speak_S, listen_S = clip_sounds(folder)
    return RawClip(
        frames_THWC=np.stack([frames[min(index, len(frames) - 1)] for index in nearest]),
        speak_S=speak_S,
        listen_S=listen_S,
        text=text.read_text(encoding="utf-8", errors="replace").strip() if text.is_file() else "",
        reference_HWC=square_crop(read_picture(reference), size_px) if reference.is_file() else None,
    )


def clip_sounds(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a clip's character says and hears."""
    return _sound(folder / "speak.wav"), _sound(folder / "listen.wav")


def _sound(path: Path) -> NDArray[np.float32]:
    return read_sound(path) if path.is_file() else np.zeros(0, dtype=np.float32)


@torch.no_grad()
def clip_features(clip: RawClip, after: RawClip, pack: LoadedPack) -> ClipFeatures:
    """A clip through the pack's codec and encoders; `after` lends its first frame where the clip has no reference."""
    codec = pack.codec
    num_latents = len(clip.frames_THWC) // codec.frames_per_latent
    num_frames = num_latents * codec.frames_per_latent
    reference_HWC = after.frames_THWC[0] if clip.reference_HWC is None else clip.reference_HWC
    with fast_autocast(torch.device("cpu")):
        pixels = torch.cat([as_pixels(frame_HWC, pack.size_px) for frame_HWC in clip.frames_THWC[:num_frames]])
        latents_FCHW = torch.cat([codec.encode(part[None])[0] for part in torch.split(pixels, ENCODE_FRAMES)])
        reference_CHW = codec.encode_still(as_pixels(reference_HWC, pack.size_px))[0]
        text_SD = pack.text_encoder.encode([clip.text])[0]
        speak_AD = _rows(pack.speak_encoder, clip.speak_S, 0, num_latents)
        lead = pack.transformer.config.listen_window.rows_before
        listen_AD = _rows(pack.listen_encoder, clip.listen_S, lead, num_latents)
    clips = {
        "latents_FCHW": latents_FCHW[None].half(),
        "references_RCHW": reference_CHW[None, None].half(),
        "reference_indices_R": torch.zeros(1, 1, dtype=torch.long),
        "text_of_latent_F": torch.zeros(1, num_latents, dtype=torch.long),
        "state_TK": torch.zeros(1, num_latents, 1),  # nobody knows the state of a filmed face
    }
    return ClipFeatures(
        clips=clips,
        speak_NAD=speak_AD[None].half(),
        listen_NAD=listen_AD[None].half(),
        text_NCLD=text_SD[None, None].half(),
    )


def _rows(encoder: AudioRows, sound_S: NDArray[np.float32], lead_rows: int, num_latents: int) -> Tensor:
    """One row a latent of a whole clip, `lead_rows` of silence's before it."""
    first_frame = -lead_rows * encoder.frames_per_row
    return encoder.encode_rows(torch.from_numpy(sound_S), first_frame, lead_rows + num_latents)
