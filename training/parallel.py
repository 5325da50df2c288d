"""Several processes that average their gradients: over gloo on a few CPU cores, over NCCL with a GPU each.

One process alone is a world of one and never touches torch.distributed. Under `torchrun` the environment is used as it is.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist
from torch.multiprocessing.spawn import ProcessRaisedException, spawn

from engine.errors import BadInputError, LpmError

Value = TypeVar("Value")
Complaints = SimpleQueue[LpmError]


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
    """Replaces every gradient by its mean over all processes; one that only others have counts as zero here."""
    if world.size == 1:
        return
    trained = list(parameters)
    has_gradient = torch.tensor([p.grad is not None for p in trained], dtype=torch.int32, device=world.device)
    dist.all_reduce(has_gradient)
    used = [p for p, count in zip(trained, has_gradient.tolist(), strict=True) if count]
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in used]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= world.size
    pieces = torch.split(flat, [gradient.numel() for gradient in gradients])
    for parameter, piece in zip(used, pieces, strict=True):
        parameter.grad = piece.view_as(parameter)


def mean_over_processes(record: dict[str, Any], world: World) -> dict[str, Any]:
    """A record whose values are the means over the processes that have them."""
    return mean_record(gathered(record, world))


def mean_record(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means by name over the records that have it; whole numbers that agree stay as they are."""
    means: dict[str, Any] = {}
    for name in dict.fromkeys(name for record in records for name in record):
        values = [record[name] for record in records if name in record]
        means[name] = values[0] if len(set(values)) == 1 else sum(values) / len(values)
    return means


def gathered(value: Value, world: World) -> list[Value]:
    """What every process gave, in the order of their ranks, on all of them."""
    if world.size == 1:
        return [value]
    everyone: list[Any] = [None] * world.size
    dist.all_gather_object(everyone, value)
    return everyone


def run_processes(job: Callable[[], None], num_processes: int) -> None:
    """Runs `job` (a picklable callable) in this process, or in `num_processes` new ones with one thread each.

    They meet at a store that this process serves, as those of `torchrun` meet at their agent's. A port that is only looked up
    here, to be opened by the first of them, could be another program's by then. What one of them says to a person is raised here.
    """
    if num_processes == 1 or "WORLD_SIZE" in os.environ:
        job()
        return
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    complaints: Complaints = get_context("spawn").SimpleQueue()
    arguments = (job, num_processes, store.port, complaints)
    ranks = spawn(_run_rank, args=arguments, nprocs=num_processes, join=False)  # type: ignore[no-untyped-call]
    try:
        while not ranks.join():
            pass
    except ProcessRaisedException:
        if complaints.empty():
            raise
        raise complaints.get() from None
    except BaseException:  # a polite kill reaches this process alone, and nobody waits for ranks that go on
        for process in ranks.processes:
            process.terminate()
        raise


def _run_rank(rank: int, job: Callable[[], None], num_processes: int, port: int, complaints: Complaints) -> None:
    os.environ.update(
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        TORCHELASTIC_USE_AGENT_STORE="True",
        TORCHELASTIC_RESTART_COUNT="0",
        RANK=str(rank),
        WORLD_SIZE=str(num_processes),
        OMP_NUM_THREADS="1",
    )
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        job()
    except LpmError as error:
        complaints.put(error)
        raise


def _end_with_parent(parent: int) -> None:
    """Ends this process soon after its parent was killed, which no signal tells it."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
