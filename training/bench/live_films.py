"""A model pack as a live maker of films: the session that people talk to, fed with a request's sounds and directions.

Called where an online pack is to be judged as it performs. The session works in the caller's thread and never does less than
the whole work (`engine.online.film`), so the same request gives the same film on any machine.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine import LoadedPack, PerformJob, PromptSpan
from engine.online.film import live_film
from training.bench.cases import FilmRequest
from training.bench.reading import smaller


@dataclass(frozen=True, kw_only=True)
class LiveFilms:
    """Satisfies `training.bench.judge.FilmMaker`."""

    pack: LoadedPack

    @property
    def size_px(self) -> int:
        """Side of the pictures that are read: what the codec takes."""
        return self.pack.size_px

    @property
    def film_px(self) -> int:
        """Side of the pictures that it is given and makes."""
        return self.pack.film_px

    def film(self, request: FilmRequest) -> NDArray[np.uint8]:
        """All frames of one request, [T, H, W, 3]; a direction is given when the chunk before it is shown."""
        job = PerformJob(
            character=request.character,
            num_frames=request.num_frames,
            speak_S=request.speak_S,
            listen_S=request.listen_S,
            prompts=tuple(
                PromptSpan(start_frame=span.start_frame, end_frame=span.end_frame, text=span.text)
                for span in request.prompts
            ),
            seed=request.seed,
        )
        return np.concatenate([smaller(piece.frames_THWC, self.size_px) for piece in live_film(self.pack, job)])
