"""Streaming sound: any cut of the samples gives the same track and the same features; what is taken, given back, cut or too old."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.encoders.audio import AudioEncoder, AudioEncoderConfig
from engine.errors import BadInputError
from engine.model_config import AudioWindow
from engine.online.audio_window import SoundTrack, encode_window

SOUND = np.random.default_rng(0).standard_normal(48_000).astype(np.float32) * 0.2
WINDOW = AudioWindow(rows_per_latent=2, rows_before=3, rows_after=0)


def encoder() -> AudioEncoder:
    torch.manual_seed(0)
    config = AudioEncoderConfig(
        width=8, dilations=(1, 2), lookahead_frames=(1, 0), frames_per_row=2, row_margin_frames=1
    )
    return AudioEncoder(config).eval().requires_grad_(False)


@settings(deadline=None, max_examples=25)
@given(cuts=st.lists(st.integers(0, 48_000), max_size=12), rate_hz=st.sampled_from([24_000, 16_000, 48_000, 44_100]))
def test_any_cut_into_packets_is_the_same_track(cuts: list[int], rate_hz: int) -> None:
    whole, packets = SoundTrack(kept_frames=60), SoundTrack(kept_frames=60)
    whole.push(SOUND, rate_hz)
    edges = [0, *sorted(cuts), len(SOUND)]
    for start, end in itertools.pairwise(edges):
        packets.push(SOUND[start:end], rate_hz)
    for track in (whole, packets):
        track.end_of_stream()
    frames = round(len(SOUND) / rate_hz * 24)
    np.testing.assert_array_equal(whole.between(0, frames), packets.between(0, frames))
    assert abs(whole.waiting_samples - len(SOUND) * 24_000 / rate_hz) <= 1


def test_features_follow_from_two_seconds_before_and_the_chunk_alone() -> None:
    model, track = encoder(), SoundTrack(kept_frames=100)
    track.push(SOUND)
    whole = model.encode_rows(torch.from_numpy(SOUND), 30 - 3 * 2, 3 + 3 * 2)
    rows = encode_window(model, track.between(30 - 24, 42), 24, 3, WINDOW)[0]
    torch.testing.assert_close(rows[:-2], whole[:-2], rtol=1e-4, atol=1e-5)  # the last rows would look past the chunk
    louder = SOUND.copy()
    louder[42_000:] = 1.0
    louder[: (30 - 24) * 1000] = 1.0
    other = SoundTrack(kept_frames=100)
    other.push(louder)
    assert torch.equal(encode_window(model, other.between(30 - 24, 42), 24, 3, WINDOW)[0], rows)


def test_sound_after_a_pause_of_the_stream_begins_where_the_next_chunk_does() -> None:
    track = SoundTrack(kept_frames=24)
    track.push(SOUND[:1500])
    track.take(6)
    assert track.waiting_samples == 0
    track.push(SOUND[:2000])
    assert track.waiting_samples == 2000
    heard_S = track.between(0, 8)
    assert np.array_equal(heard_S[:1500], SOUND[:1500])
    assert not heard_S[1500:6000].any()
    assert np.array_equal(heard_S[6000:], SOUND[:2000])


def test_what_was_withdrawn_is_told_again_and_what_was_cut_is_not() -> None:
    track = SoundTrack(kept_frames=24)
    track.push(SOUND[:20_000])
    track.take(12)
    track.give_back(8)
    assert track.waiting_samples == 12_000
    assert np.array_equal(track.between(8, 12), SOUND[8000:12_000])
    track.cut(9)
    assert track.waiting_samples == 1000
    assert not track.between(9, 20).any()
    track.take(12)
    track.push(SOUND[:100])
    assert np.array_equal(track.between(12, 13)[:100], SOUND[:100])


def test_memory_is_bounded_and_what_a_chunk_needs_is_kept() -> None:
    track = SoundTrack(kept_frames=48)
    for second in range(600):
        track.push(SOUND[:24_000])
        track.take(24 * (second + 1))
        assert len(track._sound_S) <= 48_000
    assert np.array_equal(track.between(24 * 599, 24 * 600), SOUND[:24_000])
    assert np.array_equal(track.between(24 * 600 - 48, 24 * 599), SOUND[:24_000])


def test_an_hour_of_silence_costs_no_memory_when_somebody_speaks_again() -> None:
    track = SoundTrack(kept_frames=48)
    hour = 3600 * 24
    for frame in range(0, hour, 12):
        track.take(frame + 12, next_shown_frame=frame)
    track.push(SOUND)
    assert len(track._sound_S) <= len(SOUND) + 60_000
    assert np.array_equal(track.between(hour, hour + 48), SOUND)
    restored = SoundTrack(kept_frames=48)
    restored.restore(0, 10**14, SOUND)  # a file may claim any gap
    restored.push(SOUND)
    assert len(restored._sound_S) <= len(SOUND) + 48_000
    assert np.array_equal(restored.between(10**11, 10**11 + 48), SOUND)


def test_minutes_of_waiting_sound_are_not_copied_for_each_frame() -> None:
    track = SoundTrack(kept_frames=4)
    track.push(np.tile(SOUND, 50))
    copies, before_S = 0, track._sound_S
    for frame in range(2390):
        track.take(frame + 1, next_shown_frame=frame)
        copies += not np.shares_memory(before_S, track._sound_S)
        before_S = track._sound_S
        held_S = before_S if before_S.base is None else before_S.base
        assert len(held_S) <= 2 * max(len(before_S), 12_000)
    assert copies <= 10
    assert np.array_equal(track.between(2390, 2400), SOUND[38_000:])


def test_heard_sound_that_waits_too_long_is_skipped_from_its_beginning() -> None:
    track = SoundTrack(kept_frames=10)
    track.push(SOUND[:30_000])
    assert track.drop_oldest_waiting(10_000) == 20_000
    assert track.drop_oldest_waiting(10_000) == 0
    assert np.array_equal(track.between(0, 10), SOUND[20_000:30_000])


def test_of_what_waits_the_quiet_is_skipped_up_to_the_first_voice() -> None:
    quiet_S, voice_S = np.full(5_000, 1e-3, np.float32), np.full(10_000, 0.1, np.float32)
    track = SoundTrack(kept_frames=10)
    track.push(np.concatenate([quiet_S, voice_S]))
    assert track.drop_quiet_waiting(14_000, 0.01) == 960, "no more than what waits too long, in hundredths of a second"
    assert track.drop_quiet_waiting(4_000, 0.01) == 3_840, "and nothing of a voice"
    assert track.drop_quiet_waiting(4_000, 0.01) == 0
    assert np.array_equal(track.between(0, 10), np.concatenate([quiet_S[:200], voice_S[:9_800]]))
    silent = SoundTrack(kept_frames=10)
    silent.push(quiet_S)
    assert silent.drop_quiet_waiting(0, 0.01) == 4_800
    assert SoundTrack(kept_frames=10).drop_quiet_waiting(0, 0.01) == 0


def test_a_track_that_is_full_refuses_and_keeps_what_it_has() -> None:
    track = SoundTrack(kept_frames=10, most_waiting_s=1.0)
    track.push(SOUND[:20_000])
    with pytest.raises(BadInputError, match="pull frames"):
        track.push(SOUND[:5000])
    assert track.waiting_samples == 20_000
    track.push(SOUND[:4000])


def test_what_is_still_to_be_shown_is_never_too_old() -> None:
    """A slow machine begins chunks far ahead; the sound of all frames until then is still to be played."""
    track = SoundTrack(kept_frames=4)
    track.push(SOUND)
    track.take(40, next_shown_frame=6)
    assert np.array_equal(track.between(6, 40), SOUND[6000:40_000])
    track.cut(6)
    assert track.waiting_samples == 0
