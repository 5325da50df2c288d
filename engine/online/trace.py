"""The timeline of a run, for chrome://tracing or ui.perfetto.dev: which stage worked on which chunk, when, in which thread."""

import json
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from engine.media.whole_files import whole_file

MOST_SPANS = 2_000


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stage at work on a chunk, in seconds of one monotonic clock."""

    stage: str
    worker: str
    chunk: int
    began_s: float
    ended_s: float


class Trace:
    """The last spans of a session; bounded, and safe from any thread."""

    def __init__(self) -> None:
        self._spans: deque[Span] = deque(maxlen=MOST_SPANS)
        self._lock = threading.Lock()

    def add(self, span: Span) -> None:
        """Remember a span."""
        with self._lock:
            self._spans.append(span)

    def spans(self) -> list[Span]:
        """All that are remembered, in order of their end."""
        with self._lock:
            return list(self._spans)

    def write(self, path: Path) -> None:
        """Chrome's trace event format: complete events in microseconds, a row for each worker."""
        spans = self.spans()
        origin_s = min((span.began_s for span in spans), default=0.0)
        rows = {worker: row for row, worker in enumerate(dict.fromkeys(span.worker for span in spans))}
        events: list[dict[str, object]] = [
            {"ph": "M", "pid": 1, "tid": row, "name": "thread_name", "args": {"name": worker}}
            for worker, row in rows.items()
        ]
        events += [
            {
                "ph": "X",
                "pid": 1,
                "tid": rows[span.worker],
                "name": span.stage,
                "ts": round((span.began_s - origin_s) * 1e6, 1),
                "dur": round((span.ended_s - span.began_s) * 1e6, 1),
                "args": {"chunk": span.chunk},
            }
            for span in spans
        ]
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}), encoding="utf-8")
