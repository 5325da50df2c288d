"""A model pack as a maker of films, its codec as a round trip for the ceiling, and the worker processes that use both.

Called by `cli`. The only file of the benchmark that knows the engine's performing. Each worker builds its judge once, on one
thread: two such processes do more than one with two threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from engine import LoadedPack, PerformJob, PromptSpan, load_pack, perform
from engine.allocator import keep_freed_memory
from engine.precision import fast_autocast
from training.actor.voices import VoicePool
from training.bench.cases import FilmRequest
from training.bench.judge import ActorResult, Judge
from training.bench.live_films import LiveFilms
from training.bench.quick import Crew, QuickConfig
from training.bench.reading import Reading, pixels_of, smaller
from training.bench.regressor import load_regressor
from training.bench.worker_processes import worker_processes

ROUND_TRIP_FRAMES = 24


@dataclass(frozen=True, kw_only=True)
class PackFilms:
    """Films as the pack performs them, from the references alone."""

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
        """All frames of one request."""
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
        return np.concatenate([smaller(piece.frames_THWC, self.size_px) for piece in perform(self.pack, job)])


def codec_round_trip(pack: LoadedPack, frames_THWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A film through the pack's codec and back, chunk by chunk as in a performance."""
    codec, state = pack.codec, pack.codec.initial_state()
    decoded: list[NDArray[np.uint8]] = []
    for start in range(0, len(frames_THWC), ROUND_TRIP_FRAMES):
        piece_THWC = frames_THWC[start : start + ROUND_TRIP_FRAMES]
        whole_frames = codec.num_frames(codec.num_latents(len(piece_THWC)))
        padded_THWC = np.concatenate([piece_THWC, np.repeat(piece_THWC[-1:], whole_frames - len(piece_THWC), axis=0)])
        with torch.no_grad(), fast_autocast(pack.device):
            latents_BFCHW = codec.encode(pixels_of(padded_THWC)[None].to(pack.device))
            pixels_BTCHW = codec.decode_chunk(latents_BFCHW, state)
        bytes_TCHW = ((pixels_BTCHW[0].float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        decoded.append(bytes_TCHW.permute(0, 2, 3, 1).contiguous().cpu().numpy()[: len(piece_THWC)])
    return np.concatenate(decoded)


Maker = Literal["film", "live"]
MAKERS: Final[dict[Maker, type[PackFilms] | type[LiveFilms]]] = {"film": PackFilms, "live": LiveFilms}


@dataclass(frozen=True, kw_only=True)
class WorkerSetup:
    """What a worker needs to build its judge; hashable, so that it is built once."""

    pack: str
    regressor: Path
    speak_frames: int
    listen_frames: int
    directed_frames: int
    maker: Maker = "film"


@lru_cache(maxsize=1)
def judge_of(setup: WorkerSetup) -> Judge:
    """The judge of this process."""
    torch.set_num_threads(1)
    keep_freed_memory()
    pack = load_pack(setup.pack)
    return Judge(
        regressor=load_regressor(setup.regressor),
        maker=MAKERS[setup.maker](pack=pack),
        round_trip=partial(codec_round_trip, pack),
        voices=VoicePool.discover().for_evaluation(),
        frames={"speak": setup.speak_frames, "listen": setup.listen_frames},
        directed_frames=setup.directed_frames,
    )


def judge_actor(setup: WorkerSetup, actor: int) -> ActorResult:
    """Runs in a worker."""
    return judge_of(setup).judge_actor(actor)


def read_request(setup: WorkerSetup, request: FilmRequest) -> Reading:
    """Runs in a worker."""
    return judge_of(setup).read_request(request)


@contextmanager
def pack_crew(
    pack: str, regressor: Path, config: QuickConfig, num_workers: int, maker: Maker = "film"
) -> Iterator[Crew]:
    """Worker processes for one pack, whose base model makes films or whose causal models perform live."""
    setup = WorkerSetup(
        pack=pack,
        regressor=regressor,
        speak_frames=config.speak_frames,
        listen_frames=config.listen_frames,
        directed_frames=config.directed_frames,
        maker=maker,
    )
    with worker_processes(num_workers) as executor:
        yield Crew(
            executor=executor,
            num_at_once=num_workers,
            judge_actor=partial(judge_actor, setup),
            read_request=partial(read_request, setup),
        )
