"""Clips for the base model: a performance, drawn and encoded, with everything that conditions and measures it.

`make_clip` is a pure function of a clip's number. Called by `training.data.shards`, in worker processes.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from engine.codec.protocol import VideoCodec
from engine.precision import fast_autocast
from training.actor.directions import ClipKind
from training.actor.draw import draw_film, draw_frame
from training.actor.identity import Identity, sample_identity
from training.actor.keypoints import Box, eye_box, mouth_box
from training.actor.performance import Performance, perform_clip
from training.actor.references import draw_references
from training.actor.state import EXPRESSION_CHANNELS, EXPRESSIONS, VIEWS, channel
from training.data.performances import voice_pool

LEAD_FRAMES = 72  # heard before the film begins, so that listening has a past
FILM_FRAMES = 96
NUM_EXTRA_REFERENCES = 2
TELLING_SHARE = 0.75  # of clips: the first extra reference shows what the film shows, so that looking at it pays
BARED_TEETH = ("happy", "surprised", "afraid", "disgusted")
NUM_ALTERED_STARTS = (
    4  # places in a clip from where it is also begun with another expression, as where a prompt changes
)
NEUTRAL_SHARE = 0.6  # of altered starts: films begin with a portrait
LONGEST_START_LATENTS = 18
MAX_CAPTIONS = 4
CAPTION_BYTES = 128
IDENTITY_STRIDE = 7919
NUM_IDENTITIES = 999_983
KIND_SHARES: dict[ClipKind, float] = {"speak": 0.42, "listen": 0.3, "converse": 0.16, "idle": 0.12}
REFERENCE_NAMES = ("global", *(f"view_{view}" for view in VIEWS), *(f"expression_{name}" for name in EXPRESSIONS))


@dataclass(frozen=True, kw_only=True)
class ClipFilm:
    """A performance with its pictures: what is encoded and what is known about it."""

    performance: Performance
    identity: Identity
    frames_THWC: NDArray[np.uint8]
    references_RHWC: NDArray[np.uint8]
    reference_indices: tuple[int, ...]  # into REFERENCE_NAMES


def draw_clip(number: int, size_px: int) -> ClipFilm:
    """Performs and draws clip `number`; the first `LEAD_FRAMES` are performed and heard but not drawn."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng([number, 77])
    performance = perform_clip(number, LEAD_FRAMES + FILM_FRAMES, clip_kind(rng), voice_pool())
    identity = clip_identity(number)
    indices = choose_references(performance.state_TK[LEAD_FRAMES:], rng)
    pictures = draw_references(identity, size_px)
    return ClipFilm(
        performance=performance,
        identity=identity,
        frames_THWC=draw_film(identity, performance.state_TK[LEAD_FRAMES:], size_px),
        references_RHWC=np.stack([pictures[REFERENCE_NAMES[index]] for index in indices]),
        reference_indices=indices,
    )


def clip_kind(rng: np.random.Generator) -> ClipKind:
    """What somebody does in a clip, by lot."""
    return list(KIND_SHARES)[int(rng.choice(len(KIND_SHARES), p=list(KIND_SHARES.values())))]


def clip_identity(number: int) -> Identity:
    """Who performs in clip `number`."""
    return sample_identity(number * IDENTITY_STRIDE % NUM_IDENTITIES)


def choose_references(states_TK: NDArray[np.float32], rng: np.random.Generator) -> tuple[int, ...]:
    """Which references a clip has, by index into `REFERENCE_NAMES`: the global one and two more.

    Drawn wholly by lot, the two would show the film's own expression in one clip of eight, and a model would learn that they are
    not worth a look. So most often the first is the expression that the film shows longest, or, in a film that shows none,
    one that bares the teeth, which speech bares too.
    """
    extra = [
        int(index) for index in rng.choice(np.arange(1, len(REFERENCE_NAMES)), NUM_EXTRA_REFERENCES, replace=False)
    ]
    seconds_E = states_TK[:, [channel(name) for name in EXPRESSION_CHANNELS]][:, 1:].sum(axis=0)
    shown = (
        EXPRESSIONS[1 + int(seconds_E.argmax())]
        if seconds_E.max() > 0.1 * len(states_TK)
        else str(rng.choice(BARED_TEETH))
    )
    telling = REFERENCE_NAMES.index(f"expression_{shown}")
    if rng.random() < TELLING_SHARE and telling not in extra:
        extra[0] = telling
    return (0, *extra)


@torch.inference_mode()
def encode_clip(film: ClipFilm, codec: VideoCodec) -> dict[str, Tensor]:
    """The clip as tensors of fixed shapes, floats as float16, sound as int16."""
    performance = film.performance
    with fast_autocast(torch.device("cpu")):
        latents_FCHW = codec.encode(_pixels(film.frames_THWC)[None])[0]
        references_RCHW = codec.encode_still(_pixels(film.references_RHWC))
        first_CHW = codec.encode_still(_pixels(film.frames_THWC[:1]))[0]
    states_TK = performance.state_TK[LEAD_FRAMES:]
    starts_N, altered_NHWC = altered_starts(film.identity, states_TK, performance.seed, film.frames_THWC.shape[1])
    with fast_autocast(torch.device("cpu")):
        altered_NCHW = codec.encode_still(_pixels(altered_NHWC))
    grid = film.frames_THWC.shape[1] // codec.spatial_stride
    boxes_T = [(mouth_box(film.identity, state_K), eye_box(film.identity, state_K)) for state_K in states_TK]
    text_NL, text_of_latent_F = caption_rows(performance, FILM_FRAMES, codec.frames_per_latent)
    return {
        "latents_FCHW": latents_FCHW.half(),
        "references_RCHW": references_RCHW.half(),
        "reference_indices_R": torch.tensor(film.reference_indices),
        "first_CHW": first_CHW.half(),
        "altered_starts_N": torch.from_numpy(starts_N),
        "altered_NCHW": altered_NCHW.half(),
        "state_TK": torch.from_numpy(states_TK).half(),
        "mouth_FHW": _coverage([mouth for mouth, _ in boxes_T], grid, codec.frames_per_latent),
        "eyes_FHW": _coverage([eyes for _, eyes in boxes_T], grid, codec.frames_per_latent),
        "speak_S": as_int16(performance.speak_S),
        "listen_S": as_int16(performance.listen_S),
        "text_NL": text_NL,
        "text_of_latent_F": text_of_latent_F,
    }


def altered_starts(
    identity: Identity, states_TK: NDArray[np.float32], seed: int, size_px: int
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Latents [N] of a clip, and for each the last of its frames drawn again in the same pose with another expression."""
    rng = np.random.default_rng([seed, 78])
    starts_N = rng.integers(0, LONGEST_START_LATENTS + 1, NUM_ALTERED_STARTS)
    altered_NK = states_TK[starts_N * 4 + 3].copy()
    first = channel(EXPRESSION_CHANNELS[0])
    altered_NK[:, first : first + len(EXPRESSIONS)] = 0.0
    for altered_K in altered_NK:
        other = 0 if rng.random() < NEUTRAL_SHARE else int(rng.integers(1, len(EXPRESSIONS)))
        altered_K[first + other] = 1.0 if other == 0 else rng.uniform(0.5, 1.0)
    return starts_N, np.stack([draw_frame(identity, altered_K, size_px) for altered_K in altered_NK])


def make_clip(number: int, codec: VideoCodec, size_px: int) -> dict[str, Tensor]:
    """Clip `number`, performed, drawn and encoded."""
    return encode_clip(draw_clip(number, size_px), codec)


def _pixels(frames_THWC: NDArray[np.uint8]) -> Tensor:
    return rearrange(torch.from_numpy(frames_THWC), "t h w c -> t c h w").float() / 127.5 - 1.0


def as_int16(sound_S: NDArray[np.float32]) -> Tensor:
    """Sound between -1 and 1 as 16 bits."""
    return torch.from_numpy(np.clip(sound_S * 32767.0, -32768, 32767).astype(np.int16))


def caption_rows(
    performance: Performance, film_frames: int, frames_per_latent: int, most_captions: int = MAX_CAPTIONS
) -> tuple[Tensor, Tensor]:
    """Bytes of up to `most_captions` captions, and the index of the caption that each latent lies in, of a film behind the lead."""
    spans = performance.captions[-most_captions:]
    text_NL = torch.zeros(most_captions, CAPTION_BYTES, dtype=torch.uint8)
    for index, span in enumerate(spans):
        encoded = span.text.strip().lower().encode()[:CAPTION_BYTES]
        text_NL[index, : len(encoded)] = torch.tensor(list(encoded), dtype=torch.uint8)
    middles_F = LEAD_FRAMES + np.arange(0, film_frames, frames_per_latent) + frames_per_latent // 2
    starts_N = np.array([span.start_frame for span in spans])
    return text_NL, torch.from_numpy(np.clip(np.searchsorted(starts_N, middles_F, side="right") - 1, 0, None))


def _coverage(boxes_T: list[Box], grid: int, frames_per_latent: int) -> Tensor:
    """How much of each latent position [F, grid, grid] the boxes cover, 0..1, averaged over the latent's frames."""
    edges = np.arange(grid + 1) / grid
    covered_THW = []
    for left, top, right, bottom in boxes_T:
        columns = np.clip(np.minimum(edges[1:], right) - np.maximum(edges[:-1], left), 0, None) * grid
        rows = np.clip(np.minimum(edges[1:], bottom) - np.maximum(edges[:-1], top), 0, None) * grid
        covered_THW.append(rows[:, None] * columns[None, :])
    covered = rearrange(np.stack(covered_THW), "(f fold) h w -> f fold h w", fold=frames_per_latent).mean(axis=1)
    return torch.from_numpy(covered.astype(np.float16))
