"""A model pack as a live maker of films: the session that people talk to, fed with a request's sounds and directions.

Called where an online pack is to be judged as it performs. The session works in the caller's thread and never does less than
the whole work, so the same request gives the same film on any machine.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine import LoadedPack
from engine.online.live import LiveConfig
from engine.online.opening import open_session
from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ
from training.bench.cases import FilmRequest

SAMPLES_PER_FRAME = SOUND_RATE_HZ // FRAME_RATE_HZ
MARGIN_FRAMES = 48  # of silence behind the film, so that its last chunks need not wait for sound


@dataclass(frozen=True, kw_only=True)
class LiveFilms:
    """Satisfies `training.bench.judge.FilmMaker`."""

    pack: LoadedPack

    @property
    def size_px(self) -> int:
        """Side of the pack's pictures."""
        return self.pack.size_px

    def film(self, request: FilmRequest) -> NDArray[np.uint8]:
        """All frames of one request, [T, H, W, 3]; a direction is given when the chunk before it is shown."""
        config = LiveConfig(seed=request.seed, split="caller", can_degrade=False)
        frames: list[NDArray[np.uint8]] = []
        with open_session(request.character, self.pack, config) as session:
            for push, sound_S in ((session.push_speak, request.speak_S), (session.push_listen, request.listen_S)):
                if sound_S is not None:
                    push(np.concatenate([sound_S, np.zeros(MARGIN_FRAMES * SAMPLES_PER_FRAME, dtype=np.float32)]))
            waiting = list(request.prompts)
            while len(frames) < request.num_frames:
                while waiting and waiting[0].start_frame <= len(frames):
                    session.set_prompt(waiting.pop(0).text)
                frame = session.pull()
                assert frame is not None, "a session that is neither closed nor paused gives frames"
                frames.append(frame.picture_HWC)
        return np.stack(frames)
