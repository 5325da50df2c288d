"""Numbered samples of sound with the truth of what it makes a character do; no pictures are drawn.

Called by the audio encoder's task, in worker processes. Voices are found once a process.
"""

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from training.actor.listening import add_listening
from training.actor.performance import perform_clip
from training.actor.state import resting_state
from training.actor.voices import VoicePool

ClipKind = Literal["speak", "listen", "converse", "idle"]


@functools.cache
def voice_pool() -> VoicePool:
    """The voices of this machine, looked for once a process."""
    return VoicePool.discover()


@dataclass(frozen=True, kw_only=True)
class SoundSamples:
    """Makes sample i: `sound_S` of one stream, the `state_TK` it causes and `viseme_T`; one clip in ten is silent."""

    stream: Literal["speak", "listen"]
    num_frames: int
    first_seed: int = 0

    def __call__(self, number: int) -> dict[str, Tensor]:
        """A pure function of the sample's number."""
        rng = np.random.default_rng([self.first_seed, number, 1])
        kind: ClipKind = "idle" if rng.random() < 0.1 else self.stream
        clip = perform_clip(self.first_seed + number, self.num_frames, kind, voice_pool())
        sound_S, state_TK = clip.speak_S, clip.state_TK
        if self.stream == "listen":
            # The reactions alone: what a sound can tell, without the life and directions of the clip.
            sound_S, state_TK = clip.listen_S, resting_state(self.num_frames)
            add_listening(state_TK, sound_S)
        return {
            "sound_S": torch.from_numpy(sound_S),
            "state_TK": torch.from_numpy(state_TK),
            "viseme_T": torch.from_numpy(clip.viseme_T.astype(np.int64)),
        }
