"""The bench's live films are what a session gives whoever pulls it, pushes every sound at once and directs it as the frames come."""

from pathlib import Path

import numpy as np

from engine import LiveConfig, load_pack, open_session
from tests.engine.online.small_online_pack import write_small_online_pack
from tests.engine.small_pack import striking_character
from training.actor.captions import CaptionSpan
from training.bench.cases import FilmRequest
from training.bench.live_films import LiveFilms


def test_a_live_film_is_that_of_a_session_directed_as_its_frames_come(tmp_path: Path) -> None:
    pack = load_pack(write_small_online_pack(tmp_path / "pack"))
    voice_S = 0.3 * np.random.default_rng(0).standard_normal(30_000).astype(np.float32)
    spans = (
        CaptionSpan(start_frame=0, end_frame=5, text="smiles"),
        CaptionSpan(start_frame=5, end_frame=30, text="nods"),
    )
    request = FilmRequest(
        character=striking_character(), speak_S=voice_S, listen_S=None, prompts=spans, num_frames=30, seed=7
    )
    frames = []
    with open_session(request.character, pack, LiveConfig(seed=7, split="caller", can_degrade=False)) as session:
        session.push_speak(np.concatenate([voice_S, np.zeros(48_000, np.float32)]))
        for frame in range(36):  # three whole chunks
            for span in spans:
                if span.start_frame == frame:
                    session.set_prompt(span.text)
            frames.append(session.pull())
        directions = [report.prompt for report in session.chunk_reports()]
    assert directions == ["smiles", "nods", "nods"]
    film_THWC = LiveFilms(pack=pack).film(request)
    assert np.array_equal(film_THWC, np.stack([frame.picture_HWC for frame in frames[:30] if frame is not None]))
