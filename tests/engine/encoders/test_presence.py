"""The front end of presence: speech is speech at any gain and in any room's hum, silence is not, and nothing looks ahead."""

import pytest
import torch
from torch import Tensor

from engine.encoders.audio import AudioEncoder, AudioEncoderConfig
from engine.encoders.log_mel import LogMelConfig
from engine.encoders.presence import NUM_ROWS, QUIETEST_DB, Presence, PresenceConfig
from training.actor import hearing

PRESENCE = PresenceConfig(num_hops=192)
HOPS_PER_S = 96


def heard(sound_S: Tensor) -> Tensor:
    """The four rows, [4, M]."""
    rows_NM: Tensor = Presence(PRESENCE, LogMelConfig())(sound_S[None])[0]
    return rows_NM


def bursts(loudness: float, hum: float) -> Tensor:
    """Four seconds of a voice that is there every other half second, over a hum."""
    time_S = torch.arange(4 * 24_000) / 24_000
    voice_S = torch.randn(len(time_S), generator=torch.Generator().manual_seed(1)) * (time_S % 1.0 >= 0.5)
    return loudness * (voice_S + hum * torch.sin(2 * torch.pi * 100 * time_S))


@pytest.mark.parametrize("loudness", [0.01, 0.2])
@pytest.mark.parametrize("hum", [0.0, 0.1])
def test_speech_is_told_from_what_lies_under_it(loudness: float, hum: float) -> None:
    rows_NM = heard(bursts(loudness, hum))
    speech_M = rows_NM[3].unflatten(0, (-1, HOPS_PER_S // 2))[2:, 4:-4]  # type: ignore[no-untyped-call]
    pauses_M, voices_M = speech_M[0::2], speech_M[1::2]
    assert pauses_M.max() < 0.05
    assert voices_M.min() > 0.95


def test_silence_is_no_speech_and_has_no_floor_to_stand_above() -> None:
    rows_NM = heard(torch.zeros(48_000))
    assert rows_NM.shape == (NUM_ROWS, 2 * HOPS_PER_S)
    assert rows_NM[1].abs().max() < 1e-5
    assert rows_NM[2].abs().max() < 1e-5
    assert rows_NM[3].max() < 0.01


def test_what_was_loud_long_ago_is_forgotten() -> None:
    """A shout lowers what comes behind it, and less and less of it is left."""
    sound_S = 0.005 * torch.randn(5 * 24_000, generator=torch.Generator().manual_seed(2))
    sound_S[12_000:18_000] *= 100.0
    below_peak_M = heard(sound_S)[2]
    assert below_peak_M[HOPS_PER_S] < -3.0
    assert below_peak_M[2 * HOPS_PER_S] > below_peak_M[HOPS_PER_S] + 0.5
    assert below_peak_M[4 * HOPS_PER_S] > -0.3


def test_an_encoder_with_it_gives_the_same_rows_wherever_a_sound_is_cut_and_hears_no_future() -> None:
    torch.manual_seed(0)
    encoder = AudioEncoder(AudioEncoderConfig(presence=PRESENCE, lookahead_frames=(0, 0, 0, 0)))
    sound_S = 0.1 * torch.randn(5 * 24_000, generator=torch.Generator().manual_seed(3))
    whole_TD = encoder(sound_S[None])[0]
    assert torch.allclose(encoder.encode_window(sound_S, 80, 90), whole_TD[80:90], atol=1e-4)
    changed_S = sound_S.clone()
    changed_S[72_000:] = 0.0
    assert torch.allclose(encoder(changed_S[None])[0, :71], whole_TD[:71], atol=1e-4)


def test_speech_is_what_the_actor_takes_for_speech() -> None:
    """The engine cannot import the actor's rules; nods hang on both meaning the same."""
    assert QUIETEST_DB == hearing.QUIETEST_DB
    assert PRESENCE.least_db == hearing.SILENCE_DB
    assert PRESENCE.above_floor_db == hearing.ABOVE_FLOOR_DB
    assert PRESENCE.below_peak_db == hearing.BELOW_PEAK_DB
    assert PRESENCE.floor_rise_db_per_s == hearing.FLOOR_RISE_DB_PER_S
    assert PRESENCE.peak_fall_db_per_s == hearing.PEAK_FALL_DB_PER_S


def test_what_no_ear_could_be_is_refused() -> None:
    with pytest.raises(ValueError, match="presence"):
        PresenceConfig(num_hops=-1)
    with pytest.raises(ValueError, match="floor rises"):
        PresenceConfig(num_hops=10, floor_rise_db_per_s=-1.0)
