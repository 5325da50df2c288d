"""The front end above the noise: noise is near nothing however loud, what stands out of it is not, and nothing looks ahead."""

import pytest
import torch
from torch import Tensor

from engine.encoders.audio import AudioEncoder, AudioEncoderConfig
from engine.encoders.log_mel import LogMel, LogMelConfig
from engine.encoders.noise_floor import AboveNoise, NoiseFloorConfig

FLOOR = NoiseFloorConfig(num_hops=96)


def _above(sound_S: Tensor) -> Tensor:
    above_NM: Tensor = AboveNoise(FLOOR)(LogMel(LogMelConfig())(sound_S[None]))[0]
    return above_NM


def _noise(seconds: float, loudness: float) -> Tensor:
    return loudness * torch.randn(int(24_000 * seconds), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("loudness", [0.0, 0.003, 0.1])
def test_noise_alone_is_near_nothing_however_loud(loudness: float) -> None:
    settled_NM = _above(_noise(3.0, loudness))[:, 96:]
    assert settled_NM.mean() < 0.5
    assert (
        LogMel(LogMelConfig())(_noise(3.0, 0.1)[None]) - LogMel(LogMelConfig())(_noise(3.0, 0.003)[None])
    ).mean() > 1.5


def test_a_voice_stands_out_of_the_noise_as_much_as_it_is_louder() -> None:
    time_S = torch.arange(72_000) / 24_000
    burst_S = 0.3 * torch.sin(2 * torch.pi * 500 * time_S) * (time_S > 2.0)
    above_NM = _above(_noise(3.0, 0.003) + burst_S)
    assert above_NM[:, 240:].max() > 1.5 + above_NM[:, 100:185].max()


def test_an_encoder_with_it_gives_the_same_rows_wherever_a_sound_is_cut_and_hears_no_future() -> None:
    torch.manual_seed(0)
    encoder = AudioEncoder(AudioEncoderConfig(noise_floor=FLOOR, lookahead_frames=(0, 0, 0, 0)))
    sound_S = _noise(4.0, 0.1)
    whole_TD = encoder(sound_S[None])[0]
    assert torch.allclose(encoder.encode_window(sound_S, 60, 70), whole_TD[60:70], atol=1e-4)
    changed_S = sound_S.clone()
    changed_S[72_000:] = 0.0
    assert torch.allclose(encoder(changed_S[None])[0, :71], whole_TD[:71], atol=1e-4)


def test_a_floor_without_hops_to_look_at_is_refused() -> None:
    with pytest.raises(ValueError, match="noise floor"):
        NoiseFloorConfig(num_hops=-1)
