"""What is heard of a timeline: both tracks in one array, from sounds that are decoded already. Knows no Qt and no device."""

import numpy as np
from numpy.typing import NDArray

from engine.errors import LpmError
from studio.project.document import SOUND_TRACKS, Project
from studio.project.render_plan import audible_clips
from studio.project.sound_cache import SoundCache
from studio.project.timecode import SAMPLES_PER_FRAME


def playback_mix(project: Project, sounds: SoundCache) -> NDArray[np.float32] | None:
    """Speak and listen together, mono float32 of the timeline's length; None where nothing is to be heard."""
    clips = [clip for track in SOUND_TRACKS for clip in audible_clips(project, track)]
    if not clips:
        return None
    mixed_S = np.zeros(project.timeline.num_frames * SAMPLES_PER_FRAME, dtype=np.float32)
    for clip in clips:
        try:
            samples_S = sounds.samples(clip.media_sha)[clip.in_sample : clip.out_sample]
        except LpmError:
            continue  # the waveform track has told of it
        start = clip.start_frame * SAMPLES_PER_FRAME
        samples_S = samples_S[: max(len(mixed_S) - start, 0)]
        mixed_S[start : start + len(samples_S)] += samples_S * np.float32(10.0 ** (clip.gain_db / 20.0))
    return np.clip(mixed_S, -1.0, 1.0)
