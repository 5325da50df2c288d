"""The live session's own thread: loads the pack, opens session and devices, runs the loop, and tells the window by queued signals.

The window never waits for it: requests go into a bounded queue, and of pictures only the newest waits to be drawn. Knows the engine
through two callables, and no widget.
"""

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QThread, Signal

from engine.errors import LpmError
from studio.background.engine_thread import LoadPack
from studio.live.live_loop import MOST_REQUESTS, LiveLoop, LiveWatcher
from studio.live.setup import LiveRequest, LiveSetup
from studio.live.sound_ports import SoundPorts

if TYPE_CHECKING:
    from engine import LiveFrame

_log = logging.getLogger(__name__)
OpenSession = Callable[[LiveSetup, Any], Any]
"""Opens an `engine.LiveSession` for a setup on a loaded pack."""


class LiveThread(QThread):
    """Runs one session after the other. Call `close` before it is destroyed."""

    opened = Signal(object)
    frame_waiting = Signal()
    metered = Signal(object)
    troubled = Signal(str)
    failed = Signal(str)

    def __init__(
        self, load_pack: LoadPack, open_session: OpenSession, ports: SoundPorts, parent: QObject | None = None
    ) -> None:
        """Take the engine's callables and the devices; nothing is opened before `begin`."""
        super().__init__(parent)
        self.setObjectName("live")
        self._load_pack, self._open_session, self._ports = load_pack, open_session, ports
        self._setup: LiveSetup | None = None
        self._requests: queue.Queue[LiveRequest] = queue.Queue(MOST_REQUESTS)
        self._stopped = threading.Event()
        self._pack: tuple[str, Any] | None = None
        self._newest: LiveFrame | None = None
        self._lock = threading.Lock()

    def begin(self, setup: LiveSetup) -> bool:
        """Open a session; False while another one is open."""
        if self.isRunning():
            return False
        self._setup = setup
        self._requests = queue.Queue(MOST_REQUESTS)
        self._stopped.clear()
        self._newest = None
        self.start()
        return True

    def submit(self, request: LiveRequest) -> bool:
        """Ask the session for something; False where too much was asked already."""
        try:
            self._requests.put_nowait(request)
        except queue.Full:
            return False
        return True

    def stop(self) -> None:
        """End the session soon, without waiting; `finished` tells when."""
        self._stopped.set()

    def close(self) -> None:
        """End the session and wait for it."""
        self.stop()
        self.wait()

    def take_frame(self) -> "LiveFrame | None":
        """The newest picture that belongs on the screen, once."""
        with self._lock:
            frame, self._newest = self._newest, None
        return frame

    def run(self) -> None:
        """The thread's own work; Qt calls it."""
        assert self._setup is not None
        try:
            self._live(self._setup)
        except LpmError as error:
            self.failed.emit(str(error))
        except Exception as error:  # a fault of ours must not take the window down; the log has the whole story
            _log.exception("the live session failed")
            self.failed.emit(f"The session ended because of an internal fault: {type(error).__name__}: {error}")

    def _live(self, setup: LiveSetup) -> None:
        with ExitStack() as held:
            microphone = None
            if setup.microphone is not None:
                microphone = held.enter_context(closing(setup.microphone.open()))
            pack = self._ready_pack(setup.pack)
            if self._stopped.is_set():
                return
            session = held.enter_context(self._open_session(setup, pack))
            loudspeaker = held.enter_context(closing(self._ports.open_loudspeaker()))
            watcher = LiveWatcher(
                opened=self.opened.emit,
                show=self._show,
                metered=self.metered.emit,
                troubled=self.troubled.emit,
            )
            LiveLoop(session, setup, microphone, loudspeaker, self._requests, watcher).run(self._stopped.is_set)

    def _ready_pack(self, name: str) -> Any:
        if self._pack is None or self._pack[0] != name:
            self._pack = None
            self._pack = (name, self._load_pack(name))
        return self._pack[1]

    def _show(self, frame: "LiveFrame") -> None:
        """Keep the picture until the window takes it; a window that is late takes the newest."""
        with self._lock:
            is_first, self._newest = self._newest is None, frame
        if is_first:
            self.frame_waiting.emit()
