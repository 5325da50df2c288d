"""The bench's live films are what a session gives whoever pulls it, pushes every sound at once and directs it as the frames come."""

from pathlib import Path

import numpy as np

from engine import LiveConfig, PerformJob, load_pack, open_session
from engine.online.film import live_film
from tests.engine.online.small_online_pack import write_small_online_pack, write_small_retouched_pack
from tests.engine.small_pack import SIZE_PX, large_character, striking_character, with_film_px
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


def test_live_films_that_are_shown_larger_are_read_at_the_size_of_the_codec(tmp_path: Path) -> None:
    """Each pixel that is read is the mean of those that are shown."""
    pack = load_pack(with_film_px(write_small_retouched_pack(tmp_path / "pack"), 2 * SIZE_PX))
    maker = LiveFilms(pack=pack)
    assert (maker.size_px, maker.film_px) == (SIZE_PX, 2 * SIZE_PX)
    request = FilmRequest(character=large_character(), speak_S=None, listen_S=None, prompts=(), num_frames=20, seed=7)
    job = PerformJob(character=large_character(), num_frames=20, seed=7)
    shown_THWC = np.concatenate([piece.frames_THWC for piece in live_film(pack, job)])
    means_THWC = shown_THWC.reshape(20, SIZE_PX, 2, SIZE_PX, 2, 3).mean(axis=(2, 4))
    assert np.abs(maker.film(request) - means_THWC).max() <= 1
