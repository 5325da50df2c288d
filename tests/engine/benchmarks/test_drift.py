"""What counts as the same character after an hour: colours as people see them, identity, and the conversation that asks for both."""

from pathlib import Path

import numpy as np
import pytest

from engine.benchmarks.colour_difference import ciede2000
from engine.benchmarks.conversation import (
    MINUTE_FRAMES,
    PROBE_PROMPT,
    Voices,
    frame_of,
    is_probe,
    keep_pictures,
    picture_name,
    push_what_is_due,
)
from engine.benchmarks.curve_sheet import write_curves
from engine.benchmarks.drift import PictureReading, drift_figures
from engine.media.pictures import read_picture
from engine.online.live import LiveFrame
from engine.online.states import LiveState
from tests.engine.online.stand_in import stand_in_session


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [  # of the test data that Sharma, Wu and Dalal published
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
        ((90.8027, -2.0831, 1.441), (91.1528, -1.6435, 0.0447), 1.4441),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_colours_differ_as_published(
    first: tuple[float, float, float], second: tuple[float, float, float], wanted: float
) -> None:
    assert ciede2000(first, second) == pytest.approx(wanted, abs=1e-4)
    assert ciede2000(second, first) == pytest.approx(wanted, abs=1e-4)


def readings(minutes: int, lightness_a_minute: float = 0.0, distance_a_minute: float = 0.0) -> list[PictureReading]:
    return [
        PictureReading(
            name=picture_name(frame),
            identity_distance=0.1 + distance_a_minute * (frame // MINUTE_FRAMES),
            is_own_nearest=distance_a_minute * (frame // MINUTE_FRAMES) < 0.1,
            face_lab=(60.0 + lightness_a_minute * (frame // MINUTE_FRAMES) + 20.0 * (not is_probe(frame)), 20.0, 25.0),
        )
        for frame in range(0, minutes * MINUTE_FRAMES, 48)
    ]


def test_who_stays_is_within_the_bounds_and_who_fades_or_changes_is_not() -> None:
    steady = drift_figures(readings(60), others_distance=1.2)
    assert set(steady["at_minute"]) == {"1", "10", "60"}
    assert steady["within_bounds"]
    assert steady["least_own_nearest"] == 1.0
    assert not steady["identity_slope"]["is_significant"]
    faded = drift_figures(readings(60, lightness_a_minute=0.1), others_distance=1.2)
    assert faded["at_minute"]["60"]["face_de00"] > 2 > faded["at_minute"]["10"]["face_de00"]
    assert not faded["within_bounds"]
    changed = drift_figures(readings(60, distance_a_minute=0.003), others_distance=1.2)
    assert changed["most_identity_change"] == pytest.approx(0.177)
    assert [changed["at_minute"][minute]["own_nearest"] for minute in ("1", "10", "60")] == [1.0, 1.0, 0.0]
    assert changed["identity_slope"]["is_significant"]
    assert not changed["within_bounds"]


def test_a_minute_that_was_cut_short_says_so() -> None:
    assert "not_measured" in drift_figures(readings(1)[:10], others_distance=1.0)


def test_the_conversation_is_the_same_each_minute_and_leaves_its_pictures(tmp_path: Path) -> None:
    sound_S, keep = np.full(24_000, 0.1, np.float32), keep_pictures(tmp_path)
    voices = Voices(listen_S=sound_S, speak_S=sound_S)
    picture_HWC = np.full((8, 8, 3), 7, np.uint8)
    nothing_S = np.zeros(1000, np.float32)
    for index in range(MINUTE_FRAMES - 120, MINUTE_FRAMES + 49):
        keep(
            LiveFrame(
                index=index,
                picture_HWC=picture_HWC,
                speak_S=nothing_S,
                listen_S=nothing_S,
                state=LiveState.IDLE,
                chunk=0,
                is_repeat=False,
            )
        )
    kept = sorted(path.name for path in tmp_path.iterdir())
    frames = [frame_of(name) for name in kept]
    assert frames == [*range(1320, 1440, 12), 1440, 1488]
    assert [is_probe(frame) for frame in frames] == [name.endswith("-probe.png") for name in kept]
    assert np.array_equal(read_picture(tmp_path / kept[0]), picture_HWC)

    with stand_in_session() as session:
        prompts = {}
        for frame in range(MINUTE_FRAMES):
            push_what_is_due(session, voices, frame)
            prompts[frame] = session._conductor.direction.text
            session.pull()
        assert {prompts[frame] for frame in range(MINUTE_FRAMES) if is_probe(frame)} == {PROBE_PROMPT}
        assert prompts[0] == ""


def test_the_curves_are_a_small_picture(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    length = {
        "minutes": 60.0,
        "curve": {"chunk_cpu_ms": list(250 + rng.standard_normal(120)), "memory_mb": [500.0] * 120},
        "drift": drift_figures(readings(60), others_distance=1.2),
    }
    write_curves(tmp_path / "curves.jpg", length)
    sheet_HWC = read_picture(tmp_path / "curves.jpg")
    assert sheet_HWC.shape == (400, 720, 3)
    assert (tmp_path / "curves.jpg").stat().st_size < 100_000
    write_curves(tmp_path / "two.jpg", length | {"drift": {"not_measured": "too short"}})
    assert read_picture(tmp_path / "two.jpg").shape == (200, 720, 3)
