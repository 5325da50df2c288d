"""A live session whose networks are stand-ins: what a chunk is shows in its pixels, its history lies in the real caches.

Every picture carries its latent's number; every key carries the number and the making of its latent, so that a history which is
not exactly what was kept is noticed when the next chunk is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from engine.latent_tail import LatentTail
from engine.model.chunk import KeysValues, ReferenceContext
from engine.model_config import DitConfig
from engine.online.chunk_steps import SessionStages
from engine.online.conditions import ChunkConditions
from engine.online.conductor import Conductor, ConductorLayout
from engine.online.kv_cache import CacheLayout, KvCache
from engine.online.live import LiveConfig
from engine.online.lookahead import LookaheadConfig
from engine.online.session import MOST_IN_FLIGHT, LiveSession
from engine.online.settings import HistoryWindow
from engine.online.stages import ChunkTold, SoundReach, StreamingDecoder
from engine.online.stages import ConditionEncoder as RealEncoder
from engine.turns import PartsOf, as_it_is

MODEL = DitConfig(
    dim=4,
    ffn_dim=4,
    num_layers=1,
    num_heads=1,
    patch_size=(1, 1, 1),
    in_channels=2,
    out_channels=2,
    text_dim=1,
    speak_dim=1,
    listen_dim=1,
)
FRAMES_PER_LATENT = 2
NOTHING = ReferenceContext(
    layers=(KeysValues(k_BSNK=torch.zeros(1, 0, 1, 4), v_BSNK=torch.zeros(1, 0, 1, 4)),), allowed_BS=None
)
PORTRAIT = torch.full((1, 2, 1, 1), -1.0)


@dataclass(kw_only=True)
class StandInState:
    """The number of the last latent that was decoded."""

    last: Tensor | None = field(default=None)

    def reset(self) -> None:
        self.last = None


class StandInCodec:
    """A latent's number becomes the pixels of its two frames; refuses any but the next latent and the portrait, -1, with which
    a state from a file is tried out.
    """

    frames_per_latent = FRAMES_PER_LATENT

    def initial_state(self) -> StandInState:
        return StandInState()

    def decode_chunk(self, latents_BFCHW: Tensor, state: StandInState, finish: None = None) -> Tensor:
        numbers = latents_BFCHW[0, :, 0, 0, 0]
        before = -2.0 if state.last is None else float(state.last)
        wanted = before + 1 + torch.arange(len(numbers))
        is_trial = numbers.tolist() == [-1.0]
        assert is_trial or torch.equal(numbers, wanted), (
            f"after latent {before} the decoder was given {numbers.tolist()}"
        )
        state.last = numbers[-1].clone()
        value = (numbers % 256).repeat_interleave(FRAMES_PER_LATENT) / 127.5 - 1
        return value[None, :, None, None, None].expand(1, -1, 3, 1, 1)


class StandInGenerator:
    """Latent n is [n, making]; two real caches hold [n, making, ...] as values and are checked before each chunk."""

    history_latents = 0
    has_plan = has_refiner = True
    efforts = ("whole", "less")

    def __init__(self, slack_latents: int) -> None:
        history = HistoryWindow(sink_latents=3, window_latents=2, slack_latents=slack_latents)
        layout = CacheLayout(model=MODEL, grid_HW=(1, 1), history=history)
        self.caches = [KvCache(layout, torch.float32, torch.device("cpu")) for _ in range(2)]
        self.tails = [LatentTail(PORTRAIT, 100_000) for _ in range(2)]
        self._makings = 0

    @property
    def cache_bytes(self) -> int:
        return sum(cache.num_bytes for cache in self.caches)

    def plan(self, first_latent: int, conditions: ChunkConditions) -> ChunkConditions:
        return conditions

    def draft(self, first_latent: int, told: ChunkConditions) -> Tensor:
        self._makings += 1
        numbers_F = first_latent + torch.arange(told.num_latents, dtype=torch.float32)
        making_F = torch.full_like(numbers_F, float(self._makings))
        latents_BFCHW = torch.stack([numbers_F, making_F], dim=1)[None, :, :, None, None]
        self._pass(0, first_latent, latents_BFCHW)
        return latents_BFCHW

    def refine(self, first_latent: int, draft_BFCHW: Tensor, told: ChunkConditions) -> Tensor:
        self._pass(1, first_latent, draft_BFCHW)
        return draft_BFCHW

    def _pass(self, stage: int, first_latent: int, latents_BFCHW: Tensor) -> None:
        cache, tail = self.caches[stage], self.tails[stage]
        tail.truncate(first_latent)
        cache.truncate(first_latent)
        context = cache.context(NOTHING)
        seen_S2 = context.layers[0].v_BSNK[0, :, 0, :2]
        expected = [n for n in range(first_latent) if n < 3 or n >= first_latent - 2]
        history_F2 = tail.last(first_latent)[0, :, :, 0, 0] if first_latent else torch.zeros(0, 2)
        assert torch.equal(seen_S2, history_F2[expected]), (
            f"at latent {first_latent} the cache shows {seen_S2.tolist()}"
        )
        values_BSNK = torch.zeros(1, latents_BFCHW.shape[1], 1, 4)
        values_BSNK[0, :, 0, :2] = latents_BFCHW[0, :, :, 0, 0]
        cache.write((KeysValues(k_BSNK=torch.ones_like(values_BSNK), v_BSNK=values_BSNK),))
        tail.append(latents_BFCHW)

    def tensors(self) -> dict[str, Tensor]:
        made = {"makings": torch.tensor(self._makings)}
        for stage in range(2):
            made |= {f"{stage}.cache.{name}": tensor for name, tensor in self.caches[stage].tensors().items()}
            made |= {f"{stage}.tail.{name}": tensor for name, tensor in self.tails[stage].tensors().items()}
        return made

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        self._makings = int(tensors["makings"])
        for stage in range(2):
            for part, target in (("cache", self.caches[stage]), ("tail", self.tails[stage])):
                prefix = f"{stage}.{part}."
                target.load({n.removeprefix(prefix): x for n, x in tensors.items() if n.startswith(prefix)})


class StandInEncoder(RealEncoder):
    """Tells nothing, but sees to it that each sound is as long as its reach and the chunk."""

    def __init__(self, reach: SoundReach) -> None:
        self.reach = reach
        self.told: list[ChunkTold] = []

    def encode(self, told: ChunkTold) -> ChunkConditions:
        frames = self.reach.before_frames + told.num_latents * FRAMES_PER_LATENT + self.reach.after_frames
        assert len(told.speak_S) == len(told.listen_S) == frames * 1000
        self.told = [*self.told, told][-8:]
        nothing = torch.zeros(1, 1, 1)
        return ChunkConditions(
            num_latents=told.num_latents, text_BSD=nothing, speak_BAD=nothing, listen_BAD=nothing, effort=told.effort
        )


def stand_in_session(
    chunk_latents: int = 3,
    split: str = "caller",
    most_frames: int = 8,
    seed: int = 0,
    parts_of: PartsOf = as_it_is,
) -> LiveSession:
    """A session of the product around these stand-ins."""
    lookahead = LookaheadConfig(least_frames=1, most_frames=most_frames, margin_frames=1)
    config = LiveConfig(split=split, lookahead=lookahead, seed=seed, most_waiting_s=5.0)
    slack = -(-(most_frames + chunk_latents * FRAMES_PER_LATENT) // FRAMES_PER_LATENT) + MOST_IN_FLIGHT * chunk_latents
    reach = SoundReach(before_frames=6, after_frames=1)
    layout = ConductorLayout(
        chunk_latents=chunk_latents,
        frames_per_latent=FRAMES_PER_LATENT,
        speak_reach=reach,
        listen_reach=reach,
        slack_latents=slack,
        efforts=StandInGenerator.efforts,
        parts_of=parts_of,
    )
    stages = SessionStages(
        encoder=StandInEncoder(reach),
        generator=StandInGenerator(slack),
        decoder=StreamingDecoder(StandInCodec(), PORTRAIT, PORTRAIT, slack, latents_a_copy=chunk_latents),  # type: ignore[arg-type]
        device=torch.device("cpu"),
    )
    portrait_HWC = np.full((1, 1, 3), 255, np.uint8)
    return LiveSession(Conductor(config, layout, portrait_HWC), stages, {"character": "nobody", "pack": "none"})
