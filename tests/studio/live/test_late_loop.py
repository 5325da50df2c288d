"""A machine that is too slow for the session is still told what to do: nothing that is asked waits for a moment of rest."""

import queue
import time
from dataclasses import dataclass, field

from studio.live.live_loop import LiveLoop, LiveWatcher
from studio.live.setup import Direct, LiveRequest, LiveSetup
from studio.live.sound_files import SilentLoudspeaker
from tests.engine.small_pack import small_character


@dataclass
class DirectedSession:
    """As much of a session as takes directions."""

    chunk_frames: int = 12
    prompts: list[str] = field(default_factory=list)

    def set_prompt(self, text: str) -> None:
        self.prompts.append(text)


def test_a_loop_that_is_always_late_does_what_it_is_asked() -> None:
    session, requests = DirectedSession(), queue.Queue[LiveRequest]()
    watcher = LiveWatcher(
        opened=lambda facts: None, show=lambda frame: None, metered=lambda meters: None, troubled=lambda words: None
    )
    setup = LiveSetup(character=small_character(), pack="small")
    loop = LiveLoop(session, setup, None, SilentLoudspeaker(), requests, watcher)  # type: ignore[arg-type]
    for text in ("nods", "smiles"):
        requests.put(Direct(text=text))
    loop._serve_until(time.monotonic() - 1.0)
    assert session.prompts == ["nods", "smiles"]
