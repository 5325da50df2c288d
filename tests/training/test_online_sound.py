"""What the causal models of a pack and their plan hear live is what they heard in training: no row depends on sound that is not there."""

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
    """Rows of the chunk, and those of the latents before it that a plan of motion looks back upon."""
    per_latent, looked_back = parts.CODEC.frames_per_latent, parts.MOTION_SETTINGS.history_rows
    num_rows = window.rows_before + (looked_back + chunk_latents) * window.rows_per_latent + window.rows_after
    start_frame = -looked_back * per_latent - window.rows_before * encoder.frames_per_row
    first, end = AudioEncoder(encoder).frames_heard(start_frame, num_rows)
    assert -first <= ONLINE_SETTINGS.audio_history_frames
    assert end - chunk_latents * per_latent <= ONLINE_SETTINGS.audio_future_frames
