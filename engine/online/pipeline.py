"""The stages of neighbouring chunks at work at the same time (paper 5.2): generator | refiner | VAE, with the encoders beside the VAE.

Pictures are moved by a worker of their own, between refiner and VAE: on few cores that is what shares the work out evenly.

A chunk is a task that goes from worker to worker through bounded queues. Each stage belongs to one worker, so stages need no
locks; on a GPU each worker has a stream of its own, on a CPU its own share of the cores. It must not know what a chunk is told
nor when one begins.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch

from engine.devices import wait_for
from engine.online.trace import Span, Trace
from engine.precision import fast_autocast

Step = Callable[[Any], Any]

PIPELINE_WORKERS: Final[Mapping[str, str]] = {
    "encode": "vae and encoders",
    "plan": "generator",
    "generator": "generator",
    "refiner": "refiner",
    "posing": "posing",
    "vae": "vae and encoders",
}
ONE_WORKER: Final[Mapping[str, str]] = dict.fromkeys(PIPELINE_WORKERS, "all stages")


@dataclass(kw_only=True)
class Task:
    """A chunk on its way: what goes from stage to stage, and what it has cost so far by stage.

    `cpu_s` is what the worker's own thread computed: on a machine that others use too, this is what the work costs.
    """

    number: int
    payload: Any
    next_step: int = 0
    stages_s: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    busy_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PipelineEvents:
    """What the pipeline asks and tells, from its workers: `stepped` after every step of a task but the last, which makes it `done`."""

    is_stale: Callable[[Task], bool]
    stepped: Callable[[Task], None]
    done: Callable[[Task], None]
    dropped: Callable[[Task], None]
    failed: Callable[[Task, BaseException], None]


class StageRunner:
    """The steps of a chunk in order, each timed; what workers and a caller without workers have in common.

    A step is known by its stage; a stage may have several steps, one after another.
    """

    def __init__(
        self, steps: Sequence[tuple[str, Step]], workers: Mapping[str, str], device: torch.device, trace: Trace
    ) -> None:
        self.names = [name for name, _ in steps]
        self.workers = [workers[name] for name in self.names]
        self._steps, self._device, self._trace = [step for _, step in steps], device, trace

    def run_step(self, task: Task) -> None:
        """The task's next step, here and now."""
        name, worker = self.names[task.next_step], self.workers[task.next_step]
        began_s, cpu_began_s = time.perf_counter(), time.thread_time()
        with torch.no_grad(), fast_autocast(self._device):
            task.payload = self._steps[task.next_step](task.payload)
        wait_for(self._device)  # the next stage may read it on a stream of its own
        ended_s = time.perf_counter()
        self._trace.add(Span(stage=name, worker=worker, chunk=task.number, began_s=began_s, ended_s=ended_s))
        task.stages_s[name] = task.stages_s.get(name, 0.0) + ended_s - began_s
        task.cpu_s[name] = task.cpu_s.get(name, 0.0) + time.thread_time() - cpu_began_s
        task.busy_s[worker] = task.busy_s.get(worker, 0.0) + ended_s - began_s
        task.next_step += 1

    def is_done(self, task: Task) -> bool:
        """Whether all steps are through."""
        return task.next_step == len(self.names)


class Pipeline:
    """Workers with a queue each. At most `most_tasks` are in it at any time; whoever submits keeps to that."""

    def __init__(self, runner: StageRunner, events: PipelineEvents, most_tasks: int, threads_each: int) -> None:
        self._runner, self._events, self._device = runner, events, runner._device
        self._queues: dict[str, queue.Queue[Task | None]] = {
            worker: queue.Queue(maxsize=most_tasks + 1) for worker in dict.fromkeys(runner.workers)
        }
        self._threads = [
            threading.Thread(target=self._work, args=(worker, threads_each), name=f"live {worker}", daemon=True)
            for worker in self._queues
        ]
        self._threads_before = torch.get_num_threads()
        for thread in self._threads:
            thread.start()

    def submit(self, task: Task) -> None:
        """Hand a task to its first worker; never waits while no more than `most_tasks` are under way."""
        self._queues[self._runner.workers[0]].put_nowait(task)

    def close(self) -> None:
        """Let the workers finish the step they are at, and end."""
        for waiting in self._queues.values():
            with contextlib.suppress(queue.Empty):
                while True:
                    waiting.get_nowait()
            waiting.put(None)
        for thread in self._threads:
            thread.join()
        torch.set_num_threads(self._threads_before)

    def _work(self, worker: str, num_threads: int) -> None:
        if self._device.type == "cpu":
            torch.set_num_threads(num_threads)  # of this thread; the core that it computes on
        stream = torch.cuda.Stream(self._device) if self._device.type == "cuda" else None  # type: ignore[no-untyped-call]
        while (task := self._queues[worker].get()) is not None:
            try:
                with torch.cuda.stream(stream) if stream is not None else contextlib.nullcontext():
                    self._advance(task, worker)
            except (
                BaseException
            ) as error:  # whatever went wrong is told to whoever pulls, who can do something about it
                self._events.failed(task, error)

    def _advance(self, task: Task, worker: str) -> None:
        """All steps that follow each other on this worker, then on to the next one."""
        while not self._runner.is_done(task):
            next_worker = self._runner.workers[task.next_step]
            if next_worker != worker:
                self._queues[next_worker].put_nowait(task)
                return
            if self._events.is_stale(task):
                self._events.dropped(task)
                return
            self._runner.run_step(task)
            if not self._runner.is_done(task):
                self._events.stepped(task)
        self._events.done(task)
