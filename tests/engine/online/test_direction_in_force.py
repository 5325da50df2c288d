"""A live direction that asks for several things: each in its turn, through interruptions and snapshots."""

from pathlib import Path

from engine.carried_feelings import parts_for
from engine.loaded_pack import load_pack
from engine.online.direction_in_force import PART_FRAMES, DirectionInForce
from engine.online.opening import open_session, restore_session
from engine.turns import parts_in_turn
from tests.engine.online.small_online_pack import write_small_told_pack
from tests.engine.online.small_sessions import CONFIG
from tests.engine.online.stand_in import stand_in_session
from tests.engine.small_pack import small_character


def test_each_part_has_its_time_and_the_last_holds() -> None:
    direction = DirectionInForce(text="a, then b, then c", parts=("a", "b", "c"))
    told = {frame: direction.told_from(frame) for frame in range(100, 100 + 5 * PART_FRAMES, 12)}
    assert told[100] == "a"
    for frame, part in told.items():
        assert part == "abc"[min((frame - 100) // PART_FRAMES, 2)]


def test_what_was_taken_back_before_it_was_seen_begins_anew() -> None:
    direction = DirectionInForce(text="a, then b", parts=("a", "b"))
    assert direction.told_from(50) == "a"
    assert direction.told_from(50 + PART_FRAMES) == "b"
    assert direction.told_from(50 + PART_FRAMES - 1) == "a", "going back within it changes nothing"
    assert direction.told_from(40) == "a"
    assert direction.told_from(40 + PART_FRAMES) == "b"


def test_one_thing_or_nothing_is_told_throughout() -> None:
    for text in ("", "waits"):
        direction = DirectionInForce(text=text, parts=(text,))
        assert {direction.told_from(frame) for frame in range(0, 1000, 12)} == {text}


def test_chunks_are_told_one_thing_after_another() -> None:
    told: list[tuple[int, str]] = []
    with stand_in_session(parts_of=parts_in_turn) as session:
        for frame in range(36):
            if frame == 20:
                session.set_prompt("looks left, then nods")
            session.pull()
        for _ in range(2 * PART_FRAMES):
            session.pull()
        told = [(report.first_frame, report.prompt) for report in session.chunk_reports() if report.first_frame >= 48]
    began = 24  # the first chunk after the direction came
    assert {text for _, text in told} == {"looks left", "nods"}
    for first_frame, text in told:
        assert text == ("looks left" if first_frame < began + PART_FRAMES else "nods")


def test_a_session_that_is_kept_goes_on_where_its_direction_was(tmp_path: Path) -> None:
    pack = load_pack(write_small_told_pack(tmp_path / "pack"))
    with open_session(small_character(), pack, CONFIG) as session:
        session.set_prompt("looks left, then nods")
        for _ in range(PART_FRAMES - 6):
            session.pull()
        session.snapshot(tmp_path / "kept")
        for _ in range(36):
            session.pull()
        wanted = [(report.first_frame, report.prompt) for report in session.chunk_reports()]
    with restore_session(tmp_path / "kept", small_character(), pack, "caller") as restored:
        for _ in range(36):
            restored.pull()
        found = [(report.first_frame, report.prompt) for report in restored.chunk_reports()]
    first, last = parts_for(pack)("looks left, then nods")  # a small pack reads feelings anywhere
    assert {first, last} == {text for _, text in wanted}
    assert found
    assert found == wanted[-len(found) :]
