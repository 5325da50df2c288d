"""Several processes that average their gradients: over gloo on a few CPU cores, over NCCL with a GPU each.

One process alone is a world of one and never touches torch.distributed. Under `torchrun` the environment is used as it is.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist
from torch.multiprocessing.spawn import spawn

from engine.errors import BadInputError

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class World:
    """Which of how many processes this one is."""

    rank: int
    size: int
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_first(self) -> bool:
        """The process that writes files and speaks."""
        return self.rank == 0


def join_world(device_type: str = "cpu") -> World:
    """The world that `torchrun` or `run_processes` made, or a world of one; with `cuda` a GPU for each process."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    device = own_device(device_type)
    if size == 1:
        return World(rank=0, size=1, device=device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return World(rank=dist.get_rank(), size=size, device=device)


def own_device(device_type: str) -> torch.device:
    """The CPU, or the GPU of this process's number; `BadInputError` where there is none."""
    if device_type == "cpu":
        return torch.device("cpu")
    number = int(os.environ.get("LOCAL_RANK", "0"))
    if device_type != "cuda" or number >= torch.cuda.device_count():
        raise BadInputError(
            f"there is no {device_type} device number {number} here; train with --device cpu or start fewer processes"
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def leave_world(world: World) -> None:
    """Ends the process group; the barrier keeps a fast rank from tearing it down under a slow one."""
    if world.size > 1:
        dist.barrier()
        dist.destroy_process_group()


def average_gradients(parameters: Iterable[Tensor], world: World) -> None:
    """Replaces every gradient by its mean over all processes."""
    if world.size == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= world.size
    pieces = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, piece in zip(gradients, pieces, strict=True):
        gradient.copy_(piece.view_as(gradient))


def mean_over_processes(record: dict[str, Any], world: World) -> dict[str, Any]:
    """A record whose losses are the means over all processes; names and order must agree."""
    if world.size == 1:
        return record
    losses = {name: value for name, value in record.items() if name != "step"}
    values = torch.tensor(list(losses.values()), dtype=torch.float64, device=world.device)
    dist.all_reduce(values)
    return {**record, **dict(zip(losses, (values / world.size).tolist(), strict=True))}


def gathered(value: Value, world: World) -> list[Value]:
    """What every process gave, in the order of their ranks, on all of them."""
    if world.size == 1:
        return [value]
    everyone: list[Any] = [None] * world.size
    dist.all_gather_object(everyone, value)
    return everyone


def run_processes(job: Callable[[], None], num_processes: int) -> None:
    """Runs `job` (a picklable callable) in this process, or in `num_processes` new ones with one thread each."""
    if num_processes == 1 or "WORLD_SIZE" in os.environ:
        job()
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    spawn(_run_rank, args=(job, num_processes, port), nprocs=num_processes)  # type: ignore[no-untyped-call]


def _run_rank(rank: int, job: Callable[[], None], num_processes: int, port: int) -> None:
    os.environ.update(
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        RANK=str(rank),
        WORLD_SIZE=str(num_processes),
        OMP_NUM_THREADS="1",
    )
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    job()


def _end_with_parent(parent: int) -> None:
    """Ends this process soon after its parent was killed, which no signal tells it."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
