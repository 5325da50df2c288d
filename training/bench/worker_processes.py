"""The processes that judge films, and how they end.

Called by the jobs that judge many films. Knows nothing of what is judged.
"""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager


@contextmanager
def worker_processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """So many processes; when the block is left by an error or Ctrl+C, what waits is dropped and they are ended."""
    others = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield executor
    except BaseException:  # a polite kill reaches this process alone
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        executor.shutdown(cancel_futures=True)
