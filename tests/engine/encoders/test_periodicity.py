"""The pitch front end: it peaks at the pitch, moves with it, is the same wherever a sound is cut, and hears nothing in silence."""

import math

import pytest
import torch
from torch import Tensor

from engine.encoders.audio import AudioEncoder, AudioEncoderConfig
from engine.encoders.log_mel import LogMelConfig
from engine.encoders.periodicity import Periodicity, PeriodicityConfig

LAGS = PeriodicityConfig(num_lags=48)


def _voice(pitch_hz: float | Tensor, seconds: float = 1.0) -> Tensor:
    phase_S = 2 * torch.pi * torch.cumsum(torch.ones(int(24_000 * seconds)) * pitch_hz, dim=0) / 24_000
    return 0.1 * torch.stack([torch.sin(harmonic * phase_S) / harmonic for harmonic in range(1, 9)]).sum(dim=0)


def _heard(sound_S: Tensor) -> Tensor:
    heard_LM: Tensor = Periodicity(LAGS, LogMelConfig())(sound_S[None])[0]
    return heard_LM


@pytest.mark.parametrize("pitch_hz", [110.0, 185.0, 330.0])
def test_it_peaks_at_the_pitch_whatever_the_loudness(pitch_hz: float) -> None:
    for loudness in (1.0, 0.1):
        row_L = _heard(loudness * _voice(pitch_hz))[: LAGS.num_lags, 24]
        lag = round(47 * float(torch.log(torch.tensor(pitch_hz / 70)) / torch.log(torch.tensor(6.0))))
        assert row_L[lag] > 0.9
        assert row_L[lag] - row_L[max(lag - 6, 0)] > 0.2
        assert int(row_L[lag - 3 :].argmax()) in (2, 3, 4)


@pytest.mark.parametrize("semitones", [-6, 0, 4, 8])
def test_it_hears_how_far_a_melody_moved(semitones: int) -> None:
    pitch_S = 140.0 * 2 ** (torch.tensor([0.0, semitones / 12]).repeat_interleave(12_000))
    heard_M = _heard(_voice(pitch_S))[LAGS.num_lags :, round((0.5 + 0.16) * 96)]
    step = 12 * math.log2(LAGS.high_hz / LAGS.low_hz) / (LAGS.num_lags - 1)
    assert abs((int(heard_M.argmax()) - LAGS.max_shift) * step - semitones) < 1.0


def test_silence_and_noise_have_no_pitch() -> None:
    assert not _heard(torch.zeros(12_000)).any()
    noise_S = 0.1 * torch.randn(48_000, generator=torch.Generator().manual_seed(1))
    assert _heard(noise_S).abs().mean() < 0.1


def test_an_encoder_with_it_gives_the_same_rows_wherever_a_sound_is_cut() -> None:
    torch.manual_seed(0)
    encoder = AudioEncoder(AudioEncoderConfig(periodicity=LAGS, lookahead_frames=(0, 0, 0, 0)))
    sound_S = 0.1 * torch.randn(80_000)
    whole_TD = encoder(sound_S[None])[0]
    assert torch.allclose(encoder.encode_window(sound_S, 50, 60), whole_TD[50:60], atol=1e-4)
    changed_S = sound_S.clone()
    changed_S[: 1000 * (60 - encoder.config.history_frames)] = 0.0
    assert torch.allclose(encoder(changed_S[None])[0, 60:], whole_TD[60:], atol=1e-4)


def test_what_it_cannot_hear_is_refused() -> None:
    with pytest.raises(ValueError, match="two lags"):
        PeriodicityConfig(num_lags=1)
    with pytest.raises(ValueError, match="two periods of 30 Hz"):
        Periodicity(PeriodicityConfig(num_lags=8, low_hz=30.0), LogMelConfig())
