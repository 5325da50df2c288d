"""How a run's processes are laid out: which hold copies, which share weights, which share a sequence (paper 5.1).

Called by the trainer before anything is built. It must not know models.
"""

from dataclasses import dataclass
from typing import Final

from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from engine.errors import BadInputError
from training.parallel import World

RECOMPUTE_CHOICES: Final = ("nothing", "cheap", "blocks")
PRECISIONS: Final = ("fast", "float32")


@dataclass(frozen=True, kw_only=True)
class ScaleConfig:
    """How a run is spread and what it saves memory on; none of it changes what is computed.

    shards: processes that share one copy of the weights (FSDP2); the copies are as many as fit the world (HSDP).
    context: processes that share one sequence (Ulysses). They are neighbours and belong to the same copy of the weights.
    recompute: what the backward pass computes again: `nothing`, what is `cheap` (all but products of matrices, attention and
        collectives), or whole `blocks`.
    offload_share: of the tensors that `cheap` keeps, how many wait for the backward pass in the host's memory, 0..1.
    compile_blocks: whether each block runs through `torch.compile`.
    precision: `fast` is bfloat16 in matrix products where the device is made for it; `float32` is exact.
    """

    shards: int = 1
    context: int = 1
    recompute: str = "nothing"
    offload_share: float = 0.0
    compile_blocks: bool = False
    precision: str = "fast"

    def __post_init__(self) -> None:
        if min(self.shards, self.context) < 1:
            raise ValueError("a run is spread over at least one process")
        if self.shards > 1 and self.shards % self.context:
            raise ValueError(f"{self.context} processes of a sequence must divide the {self.shards} that share weights")
        if self.recompute not in RECOMPUTE_CHOICES:
            raise ValueError(f"recompute is one of {', '.join(RECOMPUTE_CHOICES)}, not {self.recompute!r}")
        if not 0.0 <= self.offload_share <= 1.0 or (self.offload_share and self.recompute != "cheap"):
            raise ValueError("offload_share is a share of what recompute=cheap keeps")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision is one of {', '.join(PRECISIONS)}, not {self.precision!r}")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A world under a `ScaleConfig`. `data` is this process among those that see different samples."""

    world: World
    data: World
    weights: DeviceMesh | None
    sequence: DeviceMesh | None

    @property
    def is_plain(self) -> bool:
        """Whether every process holds all weights and a whole sequence."""
        return self.weights is None and self.sequence is None


def lay_out(world: World, scale: ScaleConfig) -> Layout:
    """The meshes of this world; `BadInputError` where its processes do not divide."""
    group = max(scale.shards, scale.context)
    if world.size % group:
        raise BadInputError(
            f"{world.size} processes cannot be cut into groups of {group} (shards {scale.shards}, context {scale.context}); "
            f"start a multiple of {group}"
        )
    device = world.device.type
    weights = sequence = None
    if scale.shards > 1:
        shape = (world.size // scale.shards, scale.shards)
        weights = init_device_mesh(device, shape, mesh_dim_names=("copies", "shards"))
    if scale.context > 1:
        shape = (world.size // scale.context, scale.context)
        sequence = init_device_mesh(device, shape, mesh_dim_names=("samples", "context"))["context"]
    data = World(rank=world.rank // scale.context, size=world.size // scale.context, device=world.device)
    return Layout(world=world, data=data, weights=weights, sequence=sequence)
