"""The audio encoder: rows do not depend on where a sound is cut, and look no further than they say."""

import pytest
import torch

from engine.encoders.audio import AudioEncoder, AudioEncoderConfig

SPEAK = AudioEncoderConfig(width=16)
LISTEN = AudioEncoderConfig(width=16, dilations=(1, 2, 4), lookahead_frames=(0, 0, 0))


def sound(num_frames: int) -> torch.Tensor:
    return torch.randn(1, num_frames * 1000, generator=torch.Generator().manual_seed(7)) * 0.1


@pytest.fixture(params=[SPEAK, LISTEN], ids=["speak", "listen"])
def encoder(request: pytest.FixtureRequest) -> AudioEncoder:
    torch.manual_seed(0)
    return AudioEncoder(request.param).eval()


@pytest.mark.parametrize(("start", "end"), [(0, 6), (3, 9), (24, 48), (50, 60), (-4, 4), (55, 70)])
def test_a_window_equals_those_rows_of_the_whole(encoder: AudioEncoder, start: int, end: int) -> None:
    whole = sound(60)
    padded = torch.nn.functional.pad(whole, (8_000, 16_000))
    with torch.no_grad():
        expected = encoder(padded)[0, start + 8 : end + 8]
        assert torch.allclose(encoder.encode_window(whole[0], start, end), expected, atol=1e-4)


def test_sound_beyond_the_lookahead_changes_nothing(encoder: AudioEncoder) -> None:
    plain, changed = sound(48), sound(48)
    changed[:, 30_000:] = 0.0
    with torch.no_grad():
        difference = (encoder(plain) - encoder(changed)).abs().amax(dim=(0, 2))
    first_changed = 30 - encoder.config.future_frames
    assert difference[:first_changed].max() < 1e-5
    assert difference[30:33].min() > 1e-4


def test_the_listening_encoder_looks_at_most_one_frame_ahead() -> None:
    assert LISTEN.future_frames == 1
    assert SPEAK.future_frames == 3


def test_a_sound_that_is_no_whole_number_of_frames_is_refused(encoder: AudioEncoder) -> None:
    with pytest.raises(ValueError, match="frames \\* 1000"):
        encoder(torch.zeros(1, 1500))


def test_rows_are_frames_side_by_side_with_their_margins() -> None:
    config = AudioEncoderConfig(width=2, frames_per_row=4, row_margin_frames=2)
    encoder = AudioEncoder(config).eval()
    frames = torch.arange(12.0)[None, :, None].expand(-1, -1, 2)
    rows = encoder.stack(frames)
    assert rows.shape == (1, 2, config.row_width)
    assert rows[0, 0, ::2].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert rows[0, 1, ::2].tolist() == [4, 5, 6, 7, 8, 9, 10, 11]


def test_rows_of_a_stretch_are_those_of_the_whole() -> None:
    torch.manual_seed(0)
    encoder = AudioEncoder(AudioEncoderConfig(width=8, frames_per_row=4, row_margin_frames=2)).eval()
    whole = sound(60)[0]
    assert torch.allclose(encoder.encode_rows(whole, 0, 8)[3:6], encoder.encode_rows(whole, 12, 3), atol=1e-4)
