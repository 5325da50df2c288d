"""A chunk step by step: its first pictures do not wait for its last, and one that was withdrawn goes no further."""

import numpy as np

from engine.online.live import LiveFrame
from engine.online.session import LiveSession
from tests.engine.online.stand_in import FRAMES_PER_LATENT, stand_in_session

CHUNK_LATENTS = 3


def steps_of(session: LiveSession, chunk: int) -> list[str]:
    """The stages that have worked on a chunk so far, in order."""
    return [span.stage for span in session.trace.spans() if span.chunk == chunk]


def pulled(session: LiveSession) -> LiveFrame:
    frame = session.pull()
    assert frame is not None
    return frame


def latent_of(frame: LiveFrame) -> int:
    return int(np.min(frame.picture_HWC))


def test_the_first_pictures_of_a_chunk_are_shown_before_the_last_are_decoded() -> None:
    session = stand_in_session(CHUNK_LATENTS)
    until_decoded = ["encode", "plan", "generator", "refiner"]
    for latent in range(CHUNK_LATENTS):
        frames = [pulled(session) for _ in range(FRAMES_PER_LATENT)]
        assert [latent_of(frame) for frame in frames] == [latent] * FRAMES_PER_LATENT
        assert steps_of(session, chunk=0) == until_decoded + ["vae"] * (latent + 1)
    report = session.report()
    assert report.num_chunks == 1 and report.shown_frames == CHUNK_LATENTS * FRAMES_PER_LATENT


def test_two_chunks_begin_before_there_are_pictures_so_that_playback_does_not_outrun_the_first() -> None:
    chunk_frames = CHUNK_LATENTS * FRAMES_PER_LATENT
    session = stand_in_session(CHUNK_LATENTS)
    for _ in range(4):
        session.work()
        assert session.ahead_frames <= 2 * chunk_frames
    assert session.ahead_frames == 2 * chunk_frames and steps_of(session, chunk=0) == ["encode", "plan"]
    assert steps_of(session, chunk=1) == []


def test_a_chunk_is_reported_once_all_of_it_is_there_with_the_time_of_all_its_steps() -> None:
    session = stand_in_session(CHUNK_LATENTS)
    pulled(session)
    assert session.chunk_reports() == ()
    while session.report().num_chunks == 0:
        session.work()
    spans = [span for span in session.trace.spans() if span.chunk == 0]
    decoding_s = sum(span.ended_s - span.began_s for span in spans if span.stage == "vae")
    assert len(spans) == 4 + CHUNK_LATENTS
    assert abs(session.chunk_reports()[0].stages_s["vae"] - decoding_s) < 1e-9


def test_a_withdrawn_chunk_goes_no_further_from_whatever_step_on() -> None:
    for num_steps in range(4 + CHUNK_LATENTS):
        session = stand_in_session(CHUNK_LATENTS, most_frames=2)
        session.work()  # begins the first chunk, and no other beside it
        for _ in range(num_steps):
            session.work()
        assert len(steps_of(session, chunk=0)) == num_steps
        session.set_prompt("waves", withdraw=True)
        shown = [latent_of(pulled(session)) for _ in range(4 * FRAMES_PER_LATENT)]
        assert len(steps_of(session, chunk=0)) == num_steps, "nothing more is done for it"
        assert shown == [latent for latent in range(4) for _ in range(FRAMES_PER_LATENT)], "and nothing is missing"


def test_what_was_shown_of_a_latent_plays_on_while_the_rest_of_its_chunk_is_taken_back() -> None:
    session = stand_in_session(CHUNK_LATENTS)
    shown = [pulled(session)]  # the first latent is decoded and half shown
    session.set_prompt("waves", withdraw=True)
    assert session.report().withdrawn_frames == (CHUNK_LATENTS - 1) * FRAMES_PER_LATENT
    shown += [pulled(session) for _ in range(5)]
    assert [latent_of(frame) for frame in shown] == [0, 0, 1, 1, 2, 2]
    assert [frame.chunk for frame in shown] == [0, 0, 1, 1, 1, 1]
    assert [frame.index for frame in shown] == list(range(6))
