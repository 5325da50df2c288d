"""Pictures with exact truth for the regressor: random states of many actors, and how their pictures are spoilt.

Called by `regressor_training`. Half of the states are drawn channel by channel, so that the regressor learns what each looks
like and not which ones go together; half are taken from performances, so that it is exact where it will be used. Spoiling
(blur, rescaling, JPEG, noise, light) keeps it honest on pictures from a codec or a model.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.actor.draw import draw_frame
from training.actor.identity import identity_vector, sample_identity
from training.actor.keypoints import KEYPOINT_NAMES, keypoints
from training.actor.performance import CLIP_KINDS, perform_clip
from training.actor.state import EXPRESSIONS, NUM_CHANNELS, channel
from training.actor.voices import VoicePool

REGRESSOR_IDENTITY_SEEDS = 2_000_000
CLIP_FRAMES = 72
PICTURES_PER_CLIP = 24
EYE_KEYPOINTS = ("eye_left", "eye_right")
MOUTH_KEYPOINT = "mouth_centre"


@dataclass(frozen=True, kw_only=True)
class PictureSet:
    """Frames with their truth; `frames_per_identity` neighbours show the same actor."""

    frames_NHWC: NDArray[np.uint8]
    state_NK: NDArray[np.float32]
    places_N22: NDArray[np.float32]  # mouth centre and mid-eye point, (x, y) in 0..1
    identity_NV: NDArray[np.float32]
    frames_per_identity: int

    @property
    def num_identities(self) -> int:
        """Actors in the set."""
        return len(self.frames_NHWC) // self.frames_per_identity


def draw_pictures(num_identities: int, frames_per_identity: int, size_px: int, seed: int) -> PictureSet:
    """Draw a set; the same seed gives the same set, and sets of different seeds share no actor."""
    generator = np.random.default_rng((seed, 0xBE7C))
    num_frames = num_identities * frames_per_identity
    frames_NHWC = np.empty((num_frames, size_px, size_px, 3), dtype=np.uint8)
    places_N22 = np.empty((num_frames, 2, 2), dtype=np.float32)
    state_NK = random_states(num_frames, generator)
    state_NK[::2] = performed_states(len(state_NK[::2]), seed)
    vectors = []
    for index in range(num_frames):
        identity = sample_identity(REGRESSOR_IDENTITY_SEEDS + seed * 1_000_000 + index // frames_per_identity)
        frames_NHWC[index] = draw_frame(identity, state_NK[index], size_px)
        places_N22[index] = crop_places(keypoints(identity, state_NK[index]))
        vectors.append(identity_vector(identity))
    return PictureSet(
        frames_NHWC=frames_NHWC,
        state_NK=state_NK,
        places_N22=places_N22,
        identity_NV=np.stack(vectors),
        frames_per_identity=frames_per_identity,
    )


def crop_places(keypoints_P2: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where the fine crops are cut: mouth centre and the middle between the eyes, [2, 2]."""
    eyes = [KEYPOINT_NAMES.index(name) for name in EYE_KEYPOINTS]
    mouth_2 = keypoints_P2[KEYPOINT_NAMES.index(MOUTH_KEYPOINT)]
    return np.stack([mouth_2, keypoints_P2[eyes].mean(axis=0)]).astype(np.float32)


def performed_states(num_frames: int, seed: int) -> NDArray[np.float32]:
    """Frames picked from performances of all kinds with the training voices, shuffled, [num_frames, NUM_CHANNELS]."""
    generator = np.random.default_rng((seed, 0xF1A9))
    voices = VoicePool.discover()
    num_clips = -(-num_frames // PICTURES_PER_CLIP)
    picked = []
    for index in range(num_clips):
        clip_seed = REGRESSOR_IDENTITY_SEEDS + seed * 1_000_000 + index
        performance = perform_clip(clip_seed, CLIP_FRAMES, CLIP_KINDS[index % len(CLIP_KINDS)], voices)
        picked.append(performance.state_TK[generator.permutation(CLIP_FRAMES)[:PICTURES_PER_CLIP]])
    states_NK: NDArray[np.float32] = generator.permutation(np.concatenate(picked))[:num_frames]
    return states_NK


def random_states(num_frames: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """States that cover what a performance can do and somewhat more, [num_frames, NUM_CHANNELS]."""
    state_NK = np.zeros((num_frames, NUM_CHANNELS), dtype=np.float32)

    def put(name: str, values_N: NDArray[np.float64]) -> None:
        state_NK[:, channel(name)] = values_N

    def uniform(low: float, high: float) -> NDArray[np.float64]:
        return generator.uniform(low, high, num_frames)

    def sometimes(share: float, values_N: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(generator.random(num_frames) < share, values_N, 0.0)

    put("yaw", np.clip(generator.normal(0.0, 0.22, num_frames), -0.5, 0.5))
    put("pitch", np.clip(generator.normal(0.0, 0.15, num_frames), -0.4, 0.4))
    put("roll", np.clip(generator.normal(0.0, 0.1, num_frames), -0.3, 0.3))
    put("lean", uniform(-0.8, 1.0))
    put("sway", uniform(-0.8, 0.8))
    put("breath", uniform(0.0, 1.0))
    put("shoulders", sometimes(0.4, uniform(-0.6, 1.0)))
    put("gaze_x", np.clip(generator.normal(0.0, 0.45, num_frames), -1.0, 1.0))
    put("gaze_y", np.clip(generator.normal(0.0, 0.35, num_frames), -1.0, 1.0))
    put("blink", sometimes(0.3, np.minimum(uniform(0.0, 1.6), 1.0)))
    put("squint", sometimes(0.4, uniform(0.0, 1.0)))
    both_N = sometimes(0.5, uniform(-0.8, 1.0))
    put("brow_left", np.clip(both_N + sometimes(0.2, uniform(-0.5, 0.5)), -1.0, 1.0))
    put("brow_right", np.clip(both_N + sometimes(0.2, uniform(-0.5, 0.5)), -1.0, 1.0))
    put("mouth_open", sometimes(0.62, np.abs(generator.normal(0.0, 0.5, num_frames)).clip(0.0, 1.1)))
    put("mouth_width", np.clip(sometimes(0.8, generator.normal(0.0, 0.45, num_frames)), -1.0, 1.0))
    put("mouth_round", sometimes(0.3, uniform(0.0, 1.0)))
    put("lip_press", sometimes(0.15, np.minimum(uniform(0.0, 1.8), 1.0)))
    put("teeth", sometimes(0.2, uniform(0.0, 1.0)))
    put("smile", sometimes(0.5, uniform(-0.5, 1.0)))
    first = channel(f"expression_{EXPRESSIONS[0]}")
    state_NK[:, first : first + len(EXPRESSIONS)] = random_expressions(num_frames, generator)
    return state_NK


def random_expressions(num_frames: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Neutral faces, single expressions of any strength, and blends of two, [num_frames, 8]."""
    shares_NE = np.zeros((num_frames, len(EXPRESSIONS)), dtype=np.float32)
    rows = np.arange(num_frames)
    first_N = generator.integers(0, len(EXPRESSIONS), num_frames)
    second_N = generator.integers(0, len(EXPRESSIONS), num_frames)
    strength_N = generator.uniform(0.2, 1.0, num_frames)
    blend_N = np.where(generator.random(num_frames) < 0.25, generator.uniform(0.0, 0.5, num_frames), 0.0)
    np.add.at(shares_NE, (rows, first_N), strength_N * (1.0 - blend_N))
    np.add.at(shares_NE, (rows, second_N), strength_N * blend_N)
    shares_NE[:, 0] += 1.0 - shares_NE.sum(axis=1)
    return shares_NE


def spoil(frame_HWC: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """A picture as a codec or a model might give it back: softer, blockier, noisier, a little off in light."""
    picture = frame_HWC
    size_px = picture.shape[0]
    if generator.random() < 0.35:
        smaller_px = int(size_px * generator.uniform(0.4, 0.95))
        small = cv2.resize(picture, (smaller_px, smaller_px), interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, (size_px, size_px), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    if generator.random() < 0.35:
        picture = cv2.GaussianBlur(picture, (0, 0), float(generator.uniform(0.3, 1.4))).astype(np.uint8)
    if generator.random() < 0.25:
        quality = int(generator.integers(30, 95))
        _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)
    if generator.random() < 0.6:
        gain, offset = generator.uniform(0.92, 1.08), generator.uniform(-8.0, 8.0)
        rough = np.asarray(generator.normal(0.0, generator.uniform(0.0, 5.0), (size_px, size_px, 1)), dtype=np.float32)
        picture = np.clip(picture * np.float32(gain) + np.float32(offset) + rough, 0, 255).astype(np.uint8)
    return np.asarray(picture, dtype=np.uint8)
