"""Features for each picture frame: the same from wherever a stretch begins, in step with the sound, no further than they say."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from engine.encoders.wav2vec2 import WAV2VEC2_TINY, Wav2Vec2, Wav2Vec2Rows
from engine.encoders.wav2vec2_audio import Wav2Vec2AudioEncoder, unit

SAMPLES_PER_FRAME = 1000


def encoder_with(rows: Wav2Vec2Rows) -> Wav2Vec2AudioEncoder:
    torch.manual_seed(0)
    return Wav2Vec2AudioEncoder(Wav2Vec2(replace(WAV2VEC2_TINY, rows=rows))).eval().requires_grad_(False)


def sound(num_frames: int, samples_per_frame: int = SAMPLES_PER_FRAME) -> Tensor:
    return torch.randn(num_frames * samples_per_frame, generator=torch.Generator().manual_seed(3)) * 0.1


@pytest.fixture(scope="module")
def encoder() -> Wav2Vec2AudioEncoder:
    return encoder_with(Wav2Vec2Rows(layers=(1, 2), history_frames=12, stride_frames=12, future_frames=3))


@pytest.mark.parametrize(
    ("start", "end"), [(0, 5), (7, 13), (11, 12), (24, 48), (30, 70), (-5, 3), (58, 80), (-30, -25)]
)
def test_a_frame_has_the_same_features_in_every_stretch(encoder: Wav2Vec2AudioEncoder, start: int, end: int) -> None:
    whole = encoder.encode_window(sound(60), -36, 96)
    stretch = encoder.encode_window(sound(60), start, end)
    assert stretch.shape == (end - start, encoder.row_width) == (end - start, 32)
    assert torch.allclose(stretch, whole[start + 36 : end + 36], atol=1e-5)


@pytest.mark.parametrize(("start_frame", "num_rows"), [(0, 4), (5, 10), (-7, 8), (40, 13)])
def test_a_sound_cut_to_what_is_heard_gives_the_same_rows(
    encoder: Wav2Vec2AudioEncoder, start_frame: int, num_rows: int
) -> None:
    whole = sound(60)
    first, end = encoder.frames_heard(start_frame, num_rows)
    padded = functional.pad(whole, (100 * SAMPLES_PER_FRAME, 100 * SAMPLES_PER_FRAME))
    cut = padded[(first + 100) * SAMPLES_PER_FRAME : (end + 100) * SAMPLES_PER_FRAME]
    expected = encoder.encode_rows(whole, start_frame, num_rows)
    assert torch.allclose(encoder.encode_rows(cut, start_frame - first, num_rows), expected, atol=1e-5)


def test_the_same_sound_later_in_the_film_gives_the_same_features(encoder: Wav2Vec2AudioEncoder) -> None:
    later = functional.pad(sound(36), (10 * 12 * SAMPLES_PER_FRAME, 0))
    early_rows, late_rows = encoder.encode_rows(sound(36), 12, 20), encoder.encode_rows(later, 132, 20)
    assert torch.allclose(early_rows, late_rows, atol=1e-5)


def test_sound_outside_its_window_does_not_change_a_frame(encoder: Wav2Vec2AudioEncoder) -> None:
    plain, changed = sound(60), sound(60).clone()
    changed[39 * SAMPLES_PER_FRAME :] = 0.0  # frames 24 to 35 hear frames 12 to 38
    changed[: 12 * SAMPLES_PER_FRAME] = 0.5
    difference = (encoder.encode_window(plain, 0, 60) - encoder.encode_window(changed, 0, 60)).abs().amax(dim=1)
    assert difference[24:36].max() < 1e-6
    assert difference[36:48].min() > 1e-4
    assert difference[:24].min() > 1e-4


def test_features_stand_at_the_middles_of_frames() -> None:
    """A ramp over the network's features comes out as the same ramp over time."""
    encoder = encoder_with(Wav2Vec2Rows(layers=(0,), history_frames=24, stride_frames=24, future_frames=24))
    num_features = (72_000 * 2 // 3 - 400) // 320 + 1
    middles_s = (torch.arange(num_features) * 320 + 200) / 16_000
    at_frames = encoder._at_frames(middles_s[None, :, None])[0, :, 0]
    assert torch.allclose(at_frames, (torch.arange(24) + 24.5) / 24, atol=1e-5)


def test_a_click_is_heard_where_it_is() -> None:
    torch.manual_seed(1)
    network = (
        Wav2Vec2(replace(WAV2VEC2_TINY, form="layer", rows=Wav2Vec2Rows(layers=(0,)))).eval().requires_grad_(False)
    )
    encoder = Wav2Vec2AudioEncoder(network)
    clicked = sound(48)
    clicked[30 * SAMPLES_PER_FRAME : 31 * SAMPLES_PER_FRAME] *= 8.0
    difference = (encoder.encode_window(sound(48), 24, 48) - encoder.encode_window(clicked, 24, 48)).abs().mean(dim=1)
    centre = (difference * torch.arange(24, 48)).sum() / difference.sum()
    assert abs(float(centre) - 30) < 2


@pytest.mark.parametrize("rate_hz", [16_000, 48_000, 44_100])
def test_any_rate_of_the_session_gives_the_same_features(rate_hz: int) -> None:
    """One tone at two rates: the same sound, so nearly the same features."""

    def tone(hz: int) -> Tensor:
        times_s = torch.arange(2 * hz, dtype=torch.float64) / hz
        return (torch.sin(2 * torch.pi * 440 * times_s) * torch.sin(torch.pi * times_s / 2) * 0.3).float()

    features = [
        encoder_with(Wav2Vec2Rows(layers=(2,), sound_rate_hz=hz)).encode_window(tone(hz), 24, 48)
        for hz in (24_000, rate_hz)
    ]
    assert (features[0] - features[1]).abs().mean() < 0.02 * features[0].std()


def test_a_row_is_the_mean_over_its_frames() -> None:
    one, two = (encoder_with(Wav2Vec2Rows(layers=(2,), frames_per_row=count)) for count in (1, 2))
    rows = two.encode_rows(sound(48), 20, 6)
    assert rows.shape == (6, two.row_width) == (6, 16)
    assert torch.allclose(rows, one.encode_rows(sound(48), 20, 12).unflatten(0, (6, 2)).mean(dim=1), atol=1e-6)


def test_the_default_window_is_three_seconds_of_which_one_is_new() -> None:
    encoder = encoder_with(Wav2Vec2Rows(layers=(2,)))
    assert encoder.frames_heard(24, 24) == (-24, 48)
    assert encoder.frames_heard(30, 4) == (-24, 48)


def test_layers_come_out_at_one_scale() -> None:
    features = unit(torch.randn(2, 3, 16) * 40 + 5)
    assert torch.allclose(features.std(dim=-1, correction=0), torch.ones(2, 3), atol=1e-4)
