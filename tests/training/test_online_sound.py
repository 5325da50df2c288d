"""What the causal models of a pack hear live is what they heard in training: no row of a chunk depends on sound that is not there."""

import pytest

from engine.encoders.audio import AudioEncoder, AudioEncoderConfig
from engine.model_config import AudioWindow
from training.packing import ONLINE_SETTINGS
from training.recipes import parts


@pytest.mark.parametrize(
    ("encoder", "window"),
    [(parts.SPEAK_ENCODER, parts.BASE.speak_window), (parts.LISTEN_ENCODER, parts.BASE.listen_window)],
)
@pytest.mark.parametrize("chunk_latents", ONLINE_SETTINGS.chunk_choices)
def test_live_sound_reaches_as_far_as_the_encoders(
    encoder: AudioEncoderConfig, window: AudioWindow, chunk_latents: int
) -> None:
    num_rows = window.rows_before + chunk_latents * window.rows_per_latent + window.rows_after
    first, end = AudioEncoder(encoder).frames_heard(-window.rows_before * encoder.frames_per_row, num_rows)
    assert -first <= ONLINE_SETTINGS.audio_history_frames
    assert end - chunk_latents * parts.CODEC.frames_per_latent <= ONLINE_SETTINGS.audio_future_frames
