"""A film by the causal models, from a job's files: a live session in the caller's thread, fed with sound and asked for frames.

The session never does less than the whole work and nothing waits for a clock, so the same job is the same film on any machine,
and as soon done as the machine allows. Called through `engine.perform_online`. Memory does not grow with the film: sound is read
and pushed as the session gets on.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.base.job import SAMPLES_PER_FRAME, FilmPiece, PerformJob
from engine.carried_feelings import parts_for
from engine.errors import BadInputError, CancelledError
from engine.loaded_pack import LoadedPack
from engine.media.samples import Samples, excerpt
from engine.online.live import LiveConfig, LiveFrame, checked_direction
from engine.online.opening import open_session
from engine.online.session import LiveSession
from engine.shapes import FRAME_RATE_HZ
from engine.turns import told_in_turn

AHEAD_FRAMES: Final = 30 * FRAME_RATE_HZ
"""So much sound is pushed ahead of what is shown at least: far more than a chunk and what is heard behind it."""

BLOCK_FRAMES: Final = 10 * FRAME_RATE_HZ
"""So much sound is pushed at once; what comes out does not depend on it."""


class Push(Protocol):
    """`LiveSession.push_speak` or `LiveSession.push_listen`."""

    def __call__(self, packet_S: NDArray[np.float32], /) -> None:
        """Append sound at 24 kHz."""


def perform_online(
    pack: LoadedPack, job: PerformJob, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[FilmPiece]:
    """Yields the film chunk by chunk, made by the pack's backbone and refiner; `CancelledError` between two once `should_stop` says so.

    A direction acts from the first chunk that begins under it, as in a live session, and where there is none the session's own
    suggestions do (`LiveConfig.state_prompts`). `BadInputError` for a pack without causal models, and for steps or guidance of
    one's own, which were settled when these models were distilled.
    """
    if pack.online is None:
        raise BadInputError(
            f"{pack.manifest.name} has no causal models; let its base model perform, or take a pack that has them"
        )
    if job.num_steps is not None or job.guidance is not None:
        raise BadInputError(
            "causal models perform in the steps and with the guidance that they were made for; leave both out"
        )
    return live_film(pack, job, should_stop)


def live_film(
    pack: LoadedPack, job: PerformJob, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[FilmPiece]:
    """The same by whatever performs live with this pack: where it has no causal models its base model does, in short windows."""
    for span in job.prompts:
        checked_direction(span.text)
    return _pieces(pack, job, should_stop)


def _pieces(pack: LoadedPack, job: PerformJob, should_stop: Callable[[], bool]) -> Iterator[FilmPiece]:
    config = LiveConfig(seed=job.seed, split="caller", can_degrade=False)
    directions = told_in_turn(job.directions, parts_for(pack))
    began_s = time.perf_counter()
    with open_session(job.character, pack, config, first_frame_HWC=job.first_frame_HWC) as session:
        opening_s = {"opening": time.perf_counter() - began_s}
        feeds = [
            SoundFeed(push, sound_S)
            for push, sound_S in ((session.push_speak, job.track("speak")), (session.push_listen, job.track("listen")))
            if sound_S is not None
        ]
        for start_frame in range(0, job.num_frames, session.chunk_frames):
            if should_stop():
                raise CancelledError("stopped")
            for feed in feeds:
                feed.push_until(start_frame + AHEAD_FRAMES)
            session.set_prompt(directions.at(start_frame))
            # The last chunk too is made whole: it is reported with its last latent.
            frames = [_next_frame(session) for _ in range(session.chunk_frames)][: job.num_frames - start_frame]
            yield FilmPiece(
                start_frame=start_frame,
                frames_THWC=np.stack([frame.picture_HWC for frame in frames]),
                num_frames=job.num_frames,
                stages_s=opening_s | dict(session.chunk_reports()[-1].stages_s),
                join_frames=(start_frame,) if start_frame else (),
            )
            opening_s = {}


def _next_frame(session: LiveSession) -> LiveFrame:
    frame = session.pull()
    assert frame is not None and not frame.is_repeat, (
        "a session that is neither closed, paused nor paced gives new frames"
    )
    return frame


class SoundFeed:
    """One track of a job on its way into a session, in blocks, so that hours of it are never in memory."""

    def __init__(self, push: Push, sound_S: Samples) -> None:
        self._push, self._sound_S, self._pushed = push, sound_S, 0

    def push_until(self, frame: int) -> None:
        """Push on until the sound before `frame` is there, or its end: behind that the session hears silence by itself."""
        wanted = min(frame * SAMPLES_PER_FRAME, len(self._sound_S))
        while self._pushed < wanted:
            end = min(self._pushed + BLOCK_FRAMES * SAMPLES_PER_FRAME, len(self._sound_S))
            self._push(excerpt(self._sound_S, self._pushed, end))
            self._pushed = end
