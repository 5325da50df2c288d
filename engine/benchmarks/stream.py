"""`lpm bench stream`: what live performing costs on this machine, by stage, over time, and beside other ways of caching.

Film is pulled as fast as it comes, so minutes of film take what the work takes (`unpaced`); a last part runs in real time.
"""

import math
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch

from engine.benchmarks.conversation import Voices
from engine.benchmarks.timing import interleaved_ms
from engine.benchmarks.unpaced import Look, play_unpaced
from engine.characters import Character
from engine.loaded_pack import LoadedPack
from engine.memory import peak_memory_mb
from engine.model.chunk import ChunkInputs
from engine.model.transformer import Transformer
from engine.online.caching_twins import NoCache, RolledCache, repeated_rows
from engine.online.kv_cache import CacheLayout, KvCache
from engine.online.live import LiveConfig
from engine.online.opening import open_session
from engine.online.session import LiveSession
from engine.online.settings import OnlineSettings
from engine.online.split import choose_split
from engine.precision import fast_autocast, has_fast_bfloat16, number_format
from engine.references import ReferenceLatents
from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ

_PACKET_SAMPLES: Final = SOUND_RATE_HZ // 50
_SESSIONS_S: Final = 3
_MOST_SESSIONS: Final = 16


@dataclass(frozen=True, kw_only=True)
class StreamShape:
    """What is measured: minutes of film, each a session of its own, and seconds in real time; 0 leaves that out."""

    minutes: tuple[float, ...] = (1.0,)
    real_time_s: float = 10.0
    chunk_latents: int | None = None
    effort: int = 0
    num_runs: int = 5

    def __post_init__(self) -> None:
        if not self.minutes or min(self.minutes) <= 0 or self.real_time_s < 0 or self.num_runs < 1:
            raise ValueError(f"minutes {self.minutes} and runs must be more than 0, real time 0 s or more")


def measure_stream(
    pack: LoadedPack, character: Character, shape: StreamShape, voices: Voices, looks: Sequence[Look]
) -> dict[str, Any]:
    """All figures; the lengths of film under `lengths`, the longest one's at the top as well; each length has its look at the frames."""
    config = LiveConfig(can_degrade=False, chunk_latents=shape.chunk_latents, effort=shape.effort)
    split = choose_split(character, pack, config)
    config = replace(config, split=split.split)
    lengths = [
        play_unpaced(open_session(character, pack, config), minutes, voices, look)
        for minutes, look in zip(shape.minutes, looks, strict=True)
    ]
    found = {
        **{name: value for name, value in lengths[-1].items() if name != "curve"},
        "pack": pack.manifest.name,
        "version": pack.manifest.version,
        "number_format": number_format(next(pack.transformer.parameters()).device),
        "generator": "causal backbone and refiner" if pack.online else "base model in windows",
        "split": split.split,
        "split_seconds_per_second": {name: round(value, 4) for name, value in split.seconds_per_second.items()},
        "lengths": lengths,
        "effort": lengths[-1]["effort"],
        "sessions_in_real_time": sessions_in_real_time(pack, character, config),
        "caching_ms_a_chunk": time_caching(pack, shape.num_runs),
    }
    if shape.real_time_s:
        found |= _real_time(open_session(character, pack, config), shape.real_time_s)
    return found | {"peak_memory_mb": round(peak_memory_mb(), 1)}


def _real_time(session: LiveSession, seconds: float) -> dict[str, Any]:
    """Some seconds as a player sees them: packets of 20 ms come in, a frame is taken each 1/24 s."""
    rng, ended = np.random.default_rng(1), threading.Event()

    def push() -> None:
        began_s = time.perf_counter()
        for number in range(round(seconds * 50)):
            if ended.wait(max(began_s + number / 50 - time.perf_counter(), 0.0)):
                return
            session.push_listen(0.1 * rng.standard_normal(_PACKET_SAMPLES).astype(np.float32))

    with session:
        session.pull()
        pushing = threading.Thread(target=push, name="bench push", daemon=True)
        began_s = time.perf_counter()
        pushing.start()
        for frame in range(1, round(seconds * FRAME_RATE_HZ)):
            time.sleep(max(began_s + frame / FRAME_RATE_HZ - time.perf_counter(), 0.0))
            session.pull_now()
        ended.set()
        pushing.join()
        report = session.report()
    reaction = None if math.isnan(report.reaction_p95_s) else round(report.reaction_p95_s, 4)
    return {
        "real_time_s": seconds,
        "reaction_p95_s": reaction,
        "repeated_frames": report.repeated_frames,
        "dropped_frames": report.dropped_frames,
    }


def sessions_in_real_time(pack: LoadedPack, character: Character, config: LiveConfig) -> int:
    """How many sessions on one pack together make film as fast as it plays, tried with one more until it is too slow."""
    count = 0
    while count < _MOST_SESSIONS and _make_at_once(pack, character, config, count + 1) <= _SESSIONS_S:
        count += 1
    return count


def _make_at_once(pack: LoadedPack, character: Character, config: LiveConfig, count: int) -> float:
    """Wall seconds in which so many sessions each make `_SESSIONS_S` of film, their first chunks not counted."""
    one_worker = replace(config, split="one worker")
    sessions = [open_session(character, pack, one_worker) for _ in range(count)]
    for session in sessions:
        session.pull()
    num_frames = _SESSIONS_S * FRAME_RATE_HZ

    def pull(session: LiveSession) -> None:
        for _ in range(num_frames):
            session.pull()

    threads = [threading.Thread(target=pull, args=(session,)) for session in sessions]
    began_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken_s = time.perf_counter() - began_s
    for session in sessions:
        session.close()
    return taken_s


def time_caching(pack: LoadedPack, num_runs: int) -> dict[str, Any]:
    """One forward of a chunk with full history, with each way of keeping it, in turn within this process."""
    model = pack.online.backbone if pack.online else pack.transformer
    settings = pack.online.settings if pack.online else OnlineSettings()
    return time_caching_of(model, settings, pack.size_px // pack.codec.spatial_stride, num_runs)


@torch.no_grad()
def time_caching_of(model: Transformer, settings: OnlineSettings, side: int, num_runs: int) -> dict[str, Any]:
    """The same for any transformer with a square latent of `side`; conditions and history are random."""
    device = next(model.parameters()).device
    config, history = model.config, settings.history()
    layout = CacheLayout(
        model=config, grid_HW=(side // config.patch_size[1], side // config.patch_size[2]), history=history
    )
    dtype = torch.bfloat16 if has_fast_bfloat16(device) else torch.float32
    references = ReferenceLatents.of_names(
        torch.randn(1, config.in_channels, side, side, device=device), [("global", "")]
    )
    inputs = _random_chunk(model, settings.chunk_latents, side, device)
    num_history = history.sink_latents + history.window_latents
    with fast_autocast(device):
        context = model.encode_references(references)
        ours, rolled = KvCache(layout, dtype, device), RolledCache(layout, dtype, device)
        while ours.length < num_history + settings.chunk_latents:
            for cache in (ours, rolled):
                cache.write(model.forward_chunk(inputs, cache.context(context)).layers)
        no_cache = NoCache(model, references, repeated_rows(inputs, num_history, inputs))
        jobs = {
            "keys before RoPE in rings": lambda: ours.write(model.forward_chunk(inputs, ours.context(context)).layers),
            "keys after RoPE, rolled (Self-Forcing)": lambda: rolled.write(
                model.forward_chunk(inputs, rolled.context(context)).layers
            ),
            "no cache": lambda: no_cache.forward_chunk(inputs),
            "reading our context alone": lambda: ours.context(context),
        }
        runs_ms = interleaved_ms(jobs, num_runs, device)
    return {name: round(statistics.median(runs), 2) for name, runs in runs_ms.items()} | {
        "chunk_latents": settings.chunk_latents,
        "history_latents": num_history,
    }


def _random_chunk(model: Transformer, num_latents: int, side: int, device: torch.device) -> ChunkInputs:
    config = model.config
    speak, listen = config.speak_window, config.listen_window

    def rows(count: int, width: int) -> torch.Tensor:
        return torch.randn(1, count, width, device=device)

    return ChunkInputs(
        latents_BFCHW=torch.randn(1, num_latents, config.in_channels, side, side, device=device),
        timestep_BF=torch.full((1, num_latents), 500.0, device=device),
        text_BSD=rows(32, config.text_dim),
        speak_BAD=rows(num_latents * speak.rows_per_latent + speak.rows_before, config.speak_dim),
        listen_BAD=rows(num_latents * listen.rows_per_latent + listen.rows_before, config.listen_dim),
        speak_start_row=-speak.rows_before,
        listen_start_row=-listen.rows_before,
    )
