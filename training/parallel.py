"""Several single-threaded processes that average their gradients over gloo: the fast way to use a few CPU cores.

One process alone is a world of one and never touches torch.distributed. Under `torchrun` the environment is used as it is.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch import distributed as dist
from torch.multiprocessing.spawn import spawn


@dataclass(frozen=True, kw_only=True)
class World:
    """Which of how many processes this one is."""

    rank: int
    size: int

    @property
    def is_first(self) -> bool:
        """The process that writes files and speaks."""
        return self.rank == 0


def join_world() -> World:
    """The world that `torchrun` or `run_processes` made, or a world of one."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World(rank=0, size=1)
    if not dist.is_initialized():
        dist.init_process_group("gloo")
    return World(rank=dist.get_rank(), size=size)


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
