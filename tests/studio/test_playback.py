"""The picture shows the frame that the sound has reached; shuttling, looping and stopping do what their keys say."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot

from studio.playback.clocks import SilentClock, SoundClock, open_clock
from studio.playback.mix import playback_mix
from studio.playback.player import Player
from studio.project.sound_cache import SoundCache, outline, peaks_of
from studio.project.store import ProjectStore
from tests.studio.conftest import WAIT_MS, HandClock, tone


@pytest.fixture
def hand(qtbot: QtBot) -> Iterator[tuple[Player, list[HandClock]]]:
    clocks: list[HandClock] = []

    def open_sound(sound_S: NDArray[np.float32] | None, start_sample: int) -> HandClock:
        clocks.append(HandClock(start_sample))
        return clocks[-1]

    player = Player(lambda: None, open_sound)
    player.set_timeline(100, None, None)
    yield player, clocks
    player.pause()


def test_the_playhead_is_where_the_sound_is(qtbot: QtBot, hand: tuple[Player, list[HandClock]]) -> None:
    player, clocks = hand
    player.seek(10)
    player.play()
    assert clocks[0].sample == 10_000
    clocks[0].sample = 25_999
    qtbot.waitUntil(lambda: player.frame == 25, timeout=WAIT_MS)
    clocks[0].sample = 26_000
    qtbot.waitUntil(lambda: player.frame == 26, timeout=WAIT_MS)
    clocks[0].sample = 100_000
    qtbot.waitUntil(lambda: not player.is_playing, timeout=WAIT_MS)
    assert player.frame == 99
    assert clocks[0].is_stopped
    player.play()  # at the end it begins again
    assert clocks[1].sample == 0


def test_seeking_while_playing_goes_on_from_there(hand: tuple[Player, list[HandClock]]) -> None:
    player, clocks = hand
    player.play()
    player.seek(50)
    assert clocks[0].is_stopped
    assert clocks[1].sample == 50_000
    assert player.is_playing


def test_a_loop_runs_between_in_and_out(qtbot: QtBot, hand: tuple[Player, list[HandClock]]) -> None:
    player, clocks = hand
    player.set_timeline(100, 20, 40)
    player.set_looping(True)
    player.play()
    assert clocks[0].sample == 20_000
    clocks[0].sample = 40_000
    qtbot.waitUntil(lambda: len(clocks) == 2, timeout=WAIT_MS)
    assert clocks[1].sample == 20_000
    assert player.is_playing


def test_shuttling_gets_faster_and_turns_round(hand: tuple[Player, list[HandClock]]) -> None:
    player, clocks = hand
    player.seek(50)
    speeds = []
    for direction in (1, 1, 1, -1, -1):
        player.shuttle(direction)
        speeds.append(player.speed)
    assert speeds == [1.0, 2.0, 4.0, -1.0, -2.0]
    assert len(clocks) == 1  # only plain forward playback is heard


def test_a_shorter_timeline_takes_the_playhead_along(hand: tuple[Player, list[HandClock]]) -> None:
    player, _ = hand
    player.seek(90)
    player.set_timeline(30, None, None)
    assert player.frame == 29


def test_the_silent_clock_counts_samples() -> None:
    now = [0.0]
    clock = SilentClock(1000, speed=-2.0, now=lambda: now[0])
    now[0] = 0.01
    assert clock.position_samples() == 1000 - 480


class FakeDevice:
    """As much of sounddevice as the clock uses; the test calls the callback."""

    class PortAudioError(Exception):
        pass

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.callback: Any = None
        self.is_aborted = False

    def check_output_settings(self, samplerate: int, channels: int, dtype: str) -> None:
        if samplerate != self.rate_hz:
            raise self.PortAudioError("rate")

    def query_devices(self, kind: str) -> dict[str, float]:
        return {"default_samplerate": float(self.rate_hz)}

    def OutputStream(self, samplerate: int, callback: Any, **_: Any) -> "FakeDevice":  # sounddevice's name
        assert samplerate == self.rate_hz
        self.callback = callback
        return self

    def start(self) -> None:
        pass

    def abort(self) -> None:
        self.is_aborted = True

    def close(self) -> None:
        pass


@pytest.mark.parametrize("rate_hz", [24000, 48000])
def test_the_sound_clock_plays_everything_and_tells_where_it_is(rate_hz: int) -> None:
    device = FakeDevice(rate_hz)
    clock = SoundClock(device, tone(1), 12_000)
    assert clock.position_samples() == 12_000  # the device has not begun
    heard = []
    for _ in range(8):
        out = np.ones((rate_hz // 8, 1), np.float32)
        device.callback(out, len(out), SimpleNamespace(outputBufferDacTime=1.0, currentTime=1.0), None)
        heard.append(out[:, 0])
    played_S = np.concatenate(heard)
    assert np.abs(played_S[: rate_hz // 2]).max() > 0.4
    assert not played_S[rate_hz // 2 + 10 :].any()  # silence after the end
    assert 12_000 <= clock.position_samples() <= 36_000
    clock.stop()
    assert device.is_aborted


def test_without_a_device_the_silent_clock_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.playback.clocks.load_sounddevice", lambda: None)
    assert isinstance(open_clock(tone(1), 5), SilentClock)
    monkeypatch.setattr("studio.playback.clocks.load_sounddevice", lambda: object())
    assert isinstance(open_clock(tone(1), 5), SilentClock)  # a device that fails is no device


def test_the_mix_has_both_tracks(store: ProjectStore) -> None:
    mixed_S = playback_mix(store.project, SoundCache(store.media))
    assert mixed_S is not None
    assert len(mixed_S) == store.project.timeline.num_frames * 1000
    assert mixed_S[:72000].any() and mixed_S[80000:128000].any()


def test_the_outline_keeps_every_extreme() -> None:
    samples_S = np.zeros(12_345, np.float32)
    samples_S[777], samples_S[9_000] = 0.9, -0.8
    peaks = peaks_of(samples_S)
    coarse = outline(peaks[:96], 10)
    assert len(coarse) <= 10
    assert peaks[:, 1].max() == pytest.approx(0.9) and peaks[:, 0].min() == pytest.approx(-0.8)
    assert coarse.max() == pytest.approx(0.9) and coarse.min() == pytest.approx(-0.8)
