"""Whole performances and the recording of their sound."""

import numpy as np
import pytest

from training.actor.augment import GENTLE, AugmentConfig, augment, noise, room_response
from training.actor.motion import blink_track, follow, plateau
from training.actor.performance import CLIP_KINDS, perform_clip
from training.actor.state import EXPRESSIONS, NUM_CHANNELS, channel
from training.actor.voices import VoicePool


@pytest.mark.parametrize("kind", CLIP_KINDS)
def test_the_same_seed_gives_the_same_performance(pool: VoicePool, kind: str) -> None:
    first, second = (perform_clip(11, 96, kind, pool) for _ in range(2))  # type: ignore[arg-type]
    other = perform_clip(12, 96, kind, pool)  # type: ignore[arg-type]
    assert np.array_equal(first.state_TK, second.state_TK)
    assert np.array_equal(first.speak_S, second.speak_S) and np.array_equal(first.listen_S, second.listen_S)
    assert first.captions == second.captions and first.directions == second.directions
    assert not np.array_equal(first.state_TK, other.state_TK)


@pytest.mark.parametrize("kind", CLIP_KINDS)
@pytest.mark.parametrize("num_frames", [1, 24, 120])
def test_lengths_ranges_and_silent_tracks(pool: VoicePool, kind: str, num_frames: int) -> None:
    performance = perform_clip(5, num_frames, kind, pool)  # type: ignore[arg-type]
    assert performance.state_TK.shape == (num_frames, NUM_CHANNELS) and performance.state_TK.dtype == np.float32
    assert np.isfinite(performance.state_TK).all() and np.abs(performance.state_TK).max() <= 1.0
    for track_S in (performance.speak_S, performance.listen_S):
        assert track_S.shape == (num_frames * 1000,) and track_S.dtype == np.float32
        assert np.abs(track_S).max() <= 1.0
    assert performance.listen_S.any() == (kind in ("listen", "converse")) or num_frames < 120
    if kind in ("listen", "idle"):
        assert not performance.speak_S.any() and not performance.is_speaking_T.any()
    assert performance.captions[0].start_frame == 0 and performance.captions[-1].end_frame == num_frames
    for name in ("mouth_open", "blink", "breath", "lip_press", *(f"expression_{each}" for each in EXPRESSIONS)):
        assert performance.state_TK[:, channel(name)].min() >= 0.0


def test_a_conversation_takes_turns(pool: VoicePool) -> None:
    performances = [perform_clip(seed, 240, "converse", pool) for seed in range(6)]
    assert all(p.is_speaking_T.any() for p in performances)
    for performance in performances:
        opening = performance.state_TK[:, channel("mouth_open")]
        quiet = ~np.convolve(performance.is_speaking_T, np.ones(7), mode="same").astype(bool)
        assert quiet.any() and opening[quiet].max() < 0.05


def test_wrong_requests_are_refused(pool: VoicePool) -> None:
    with pytest.raises(ValueError, match="0 frames"):
        perform_clip(0, 0, "speak", pool)
    with pytest.raises(ValueError, match="'sing'"):
        perform_clip(0, 24, "sing", pool)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "config", [AugmentConfig(), GENTLE, AugmentConfig(room_share=1.0, noise_share=1.0, clipping_share=1.0)]
)
def test_augmenting_keeps_length_timing_and_sanity(config: AugmentConfig) -> None:
    dry_S = np.zeros(30_001, np.float32)
    dry_S[9_000:12_000] = 0.5 * np.sin(np.arange(3_000) * 0.1)
    for seed in range(12):
        wet_S = augment(np.random.default_rng(seed), dry_S, config)
        assert wet_S.shape == dry_S.shape and wet_S.dtype == np.float32
        assert np.isfinite(wet_S).all() and np.abs(wet_S).max() <= 1.0
        loud = np.convolve(np.square(wet_S), np.ones(3_000), mode="same")
        assert abs(int(loud.argmax()) - 10_500) < 600
    assert not augment(np.random.default_rng(0), np.zeros(500, np.float32), config).any()


def test_rooms_and_noises() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        room = room_response(rng)
        assert room.argmax() == 0 and np.square(room[-100:]).sum() < 1e-3
        assert np.std(noise(rng, 24_000)) == pytest.approx(1.0, rel=0.05)


def test_a_spring_reaches_its_target_in_its_time_without_overshoot() -> None:
    target = np.concatenate([np.zeros(10), np.ones(50)]).astype(np.float32)
    track = follow(target, 0.5)
    assert not track[:10].any()
    assert 0.85 < track[10 + 12] < 0.95
    assert track.max() <= 1.0 + 1e-5 and (np.diff(track) >= -1e-6).all()
    assert follow(np.full(20, 0.7, np.float32), 0.3) == pytest.approx(np.full(20, 0.7), abs=1e-6)


def test_blinks_close_the_eyes_and_end() -> None:
    track = blink_track(40, [5, 38])
    assert track[:5].max() == 0.0 and track[6] == 1.0 and track[12:38].max() == 0.0 and track[39] == 1.0
    assert plateau(20, 5)[8:12].min() == 1.0
