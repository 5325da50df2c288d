"""The parts of a live conversation, each by itself: pace, ports, what is heard, the mark, and a film's sound against its picture."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from engine import LiveFrame, LiveState
from engine.errors import BadInputError
from engine.media.film import DISCLOSURE
from engine.media.film_reading import probe_film, read_film_frames
from engine.media.sound import read_sound, write_wav
from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ
from studio.live import sound_card
from studio.live.hearing import EchoGuard, HeldBack
from studio.live.mark import stamp
from studio.live.pacing import TARGET_QUEUED_S, FramePace
from studio.live.recording import Recorded, Recording
from studio.live.sound_card import CardLoudspeaker, CardMicrophone, SoundCard
from studio.live.sound_files import MOST_QUEUED_S, FileLoudspeaker, FileMicrophone, SilentLoudspeaker
from studio.live.sound_ports import DeviceLostError
from studio.live.typed_voice import MOST_LETTERS, VOICES, say


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize("device_speed", [0.99, 1.0, 1.01])
def test_the_pace_follows_a_loudspeaker_that_is_fast_or_slow(device_speed: float) -> None:
    queued_s, pace = TARGET_QUEUED_S, FramePace(0.0)
    for _ in range(20_000):  # a quarter of an hour
        before_s = pace.due_s
        queued_s += 1 / FRAME_RATE_HZ
        pace.advance(before_s, queued_s - 1 / FRAME_RATE_HZ)
        queued_s -= (pace.due_s - before_s) * device_speed
        assert 0 < queued_s < MOST_QUEUED_S / 2


def test_after_a_stall_the_pace_does_not_race() -> None:
    pace = FramePace(0.0)
    pace.advance(60.0, TARGET_QUEUED_S)
    assert pace.due_s == 60.0


def test_a_file_is_heard_at_the_pace_of_a_microphone(tmp_path: Path) -> None:
    sound_S = np.linspace(-0.5, 0.5, SOUND_RATE_HZ, dtype=np.float32)
    write_wav(tmp_path / "voice.wav", sound_S)
    clock = Clock()
    microphone = FileMicrophone(tmp_path / "voice.wav", clock)
    heard = [microphone.read()]
    for step_s in (0.013, 0.5, 0.02, 0.9):
        clock.now_s += step_s
        heard.append(microphone.read())
    heard_S = np.concatenate(heard)
    assert len(heard_S) == pytest.approx(1.433 * SOUND_RATE_HZ, abs=2)
    np.testing.assert_allclose(heard_S[: len(sound_S)], sound_S, atol=1e-4)
    assert not heard_S[len(sound_S) :].any()


def test_a_file_begins_when_it_is_told_to(tmp_path: Path) -> None:
    sound_S = np.linspace(-0.5, 0.5, SOUND_RATE_HZ, dtype=np.float32)
    write_wav(tmp_path / "voice.wav", sound_S)
    clock = Clock()
    microphone = FileMicrophone(tmp_path / "voice.wav", clock)
    microphone.read()
    clock.now_s += 0.7
    microphone.read()
    microphone.begin()
    clock.now_s += 0.5
    np.testing.assert_allclose(microphone.read(), sound_S[: SOUND_RATE_HZ // 2], atol=1e-4)


def test_a_silenced_loudspeaker_has_not_played_the_rest(tmp_path: Path) -> None:
    clock = Clock()
    loudspeaker = FileLoudspeaker(tmp_path / "heard.wav", clock)
    loudspeaker.play(np.full(SOUND_RATE_HZ, 0.5, np.float32))
    clock.now_s += 0.25
    assert loudspeaker.queued_s == pytest.approx(0.75)
    loudspeaker.fall_silent()
    assert loudspeaker.queued_s == 0
    loudspeaker.play(np.zeros(100, np.float32))
    loudspeaker.close()
    heard_S = read_sound(tmp_path / "heard.wav")
    assert np.count_nonzero(heard_S) == pytest.approx(SOUND_RATE_HZ / 4, abs=2)


def test_a_voice_held_back_is_whole_and_there_is_always_a_chunk_of_it() -> None:
    chunk_frames, rate_hz = 12, 48_000
    packets = np.arange(200 * 960, dtype=np.float32).reshape(200, 960)  # 20 ms each
    held_back = HeldBack(chunk_frames, rate_hz)
    through = [held_back.through(packet_S) for packet_S in packets]
    np.testing.assert_array_equal(np.concatenate(through), packets.ravel())
    arrived = np.cumsum([len(piece_S) for piece_S in through])
    first = int(np.argmax(arrived > 0))
    assert arrived[first] >= chunk_frames / FRAME_RATE_HZ * rate_hz
    held_back.begin_again()
    assert not len(held_back.through(packets[0]))


def test_a_microphone_in_the_room_rests_while_the_character_is_heard() -> None:
    loud_S, quiet_S = np.full(1000, 0.2, np.float32), np.zeros(1000, np.float32)
    guard = EchoGuard(is_needed=True)
    guard.played(quiet_S, heard_at_s=1.0)
    assert not guard.is_echo(0.5)
    guard.played(loud_S, heard_at_s=1.0)
    assert guard.is_echo(1.2) and not guard.is_echo(2.0)
    headphones = EchoGuard(is_needed=False)
    headphones.played(loud_S, heard_at_s=1.0)
    assert not headphones.is_echo(0.9)


def test_typed_lines_are_spoken_the_same_each_time_from_any_thread() -> None:
    spoken: list[Any] = [None] * 4

    def speak(place: int) -> None:
        spoken[place] = say("Good morning.", VOICES[place % 2])

    threads = [threading.Thread(target=speak, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(spoken[0], spoken[2])
    np.testing.assert_array_equal(spoken[1], spoken[3])
    assert len(spoken[0]) > 0.4 * SOUND_RATE_HZ and spoken[0].dtype == np.float32
    assert 0.3 < np.abs(spoken[0]).max() < 0.9


@pytest.mark.parametrize("text", ["", " \n\t", "a" * (MOST_LETTERS + 1)])
def test_a_line_that_cannot_be_said_is_told(text: str) -> None:
    with pytest.raises(BadInputError):
        say(text, VOICES[0])


def test_every_voice_is_one_of_its_own() -> None:
    sounds = [say("Hello.", voice) for voice in VOICES]
    assert len({sound_S.tobytes() for sound_S in sounds}) == len(VOICES)


@pytest.mark.parametrize("side_px", [48, 192, 512])
def test_the_mark_is_in_the_corner_and_nowhere_else(side_px: int) -> None:
    picture_HWC = np.full((side_px, side_px, 3), 128, np.uint8)
    marked_HWC = stamp(picture_HWC)
    assert (picture_HWC == 128).all()
    changed_HW = (marked_HWC != 128).any(axis=2)
    assert changed_HW[-2, 2] and not changed_HW[: side_px // 2].any()
    assert marked_HWC.max() > 190  # ink that can be read on its shade


def live_frame(index: int, size_px: int = 48) -> LiveFrame:
    """White picture and loud sound from frame 30 on, dark and silent before."""
    is_on = index >= 30
    sound_S = np.full(1000, 0.5 if is_on else 0.0, np.float32) * np.where(np.arange(1000) % 20 < 10, 1, -1)
    return LiveFrame(
        index=index,
        picture_HWC=np.full((size_px, size_px, 3), 230 if is_on else 20, np.uint8),
        speak_S=sound_S.astype(np.float32),
        listen_S=np.zeros(1000, np.float32),
        state=LiveState.RESPONDING,
        chunk=0,
        is_repeat=False,
    )


def test_a_films_sound_and_picture_change_in_the_same_frame(tmp_path: Path) -> None:
    done, failed = list[Recorded](), list[str]()
    recording = Recording(tmp_path / "film.mp4", 48, True, done.append, failed.append)
    for index in range(75):
        recording.append(live_frame(index))
    recording.finish()
    recording.finish()
    recording.wait()
    assert not failed and [film.num_frames for film in done] == [75]
    facts = probe_film(tmp_path / "film.mp4")
    assert facts.num_frames == 75
    assert abs(facts.sound_s - facts.video_s) <= 1 / FRAME_RATE_HZ
    with av.open(str(tmp_path / "film.mp4")) as film:
        assert film.metadata["comment"] == DISCLOSURE  # it says what it is wherever it goes
    frames_THWC = np.stack(list(read_film_frames(tmp_path / "film.mp4")))
    first_bright = int(np.argmax(frames_THWC[:, 10, 24, 0] > 125))
    loud_s = float(np.argmax(np.abs(read_sound(tmp_path / "film.mp4")) > 0.2)) / SOUND_RATE_HZ
    assert first_bright == 30
    assert abs(loud_s - 30 / FRAME_RATE_HZ) <= 1 / FRAME_RATE_HZ


def test_a_recording_without_a_frame_leaves_nothing(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "film.mp4", 48, False, pytest.fail, pytest.fail)
    recording.finish()
    recording.wait()
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- the sound card, with PortAudio played by the test


class FakeStream:
    """A stream whose callback the test calls."""

    latency = 0.02

    def __init__(self, callback: Callable[..., None], **settings: Any) -> None:
        self.callback, self.settings, self.is_open = callback, settings, True

    def start(self) -> None:
        pass

    def abort(self) -> None:
        self.is_open = False

    def close(self) -> None:
        pass


class FakePortAudio:
    """Two devices: a microphone at 48 kHz and a loudspeaker at 44.1 kHz."""

    class PortAudioError(Exception):
        pass

    default = SimpleNamespace(device=(1, 0))
    InputStream = OutputStream = FakeStream

    def query_devices(self, device: int | None = None, kind: str | None = None) -> Any:
        devices = [
            {"name": "Desk", "max_input_channels": 1, "default_samplerate": 44100.0},
            {"name": "Headset", "max_input_channels": 1, "default_samplerate": 48000.0},
            {"name": "Screen", "max_input_channels": 0, "default_samplerate": 44100.0},
        ]
        if device is None and kind is None:
            return devices
        if device is not None and device >= len(devices):
            raise self.PortAudioError("no such device")
        return devices[2 if device is None else device]


def test_microphones_are_listed_with_the_systems_choice_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_card, "load_sounddevice", lambda: FakePortAudio())
    choices = SoundCard().microphones()
    assert [choice.name for choice in choices] == ["Headset", "Desk"]
    assert choices[0].open().rate_hz == 48000
    assert choices[1].open().rate_hz == 44100
    monkeypatch.setattr(sound_card, "load_sounddevice", lambda: None)
    assert SoundCard().microphones() == ()
    assert isinstance(SoundCard().open_loudspeaker(), SilentLoudspeaker)


def test_a_microphone_gives_all_it_heard_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(sound_card.time, "monotonic", clock)
    microphone = CardMicrophone(FakePortAudio(), 1)
    stream: Any = microphone._stream
    packet_SC = np.zeros((960, 1), np.float32)
    for number in range(3):
        packet_SC[:] = number
        stream.callback(packet_SC, 960, None, None)  # PortAudio uses its buffer again
    np.testing.assert_array_equal(microphone.read()[::960], [0, 1, 2])
    for _ in range(500):
        stream.callback(packet_SC, 960, None, None)
    assert len(microphone.read()) == 2 * 48000
    assert not len(microphone.read())
    stream.callback(packet_SC, 960, None, None)
    microphone.begin()
    assert not len(microphone.read()), "what came before is past"
    clock.now_s += 5
    with pytest.raises(DeviceLostError, match="Headset"):
        microphone.read()
    with pytest.raises(BadInputError, match="pick another"):
        CardMicrophone(FakePortAudio(), 9)


def test_the_loudspeaker_plays_in_order_and_falls_silent_at_once() -> None:
    loudspeaker = CardLoudspeaker(FakePortAudio())
    stream: Any = loudspeaker._stream
    out_SC = np.empty((441, 1), np.float32)
    tone_S = np.sin(np.arange(2400) / 10).astype(np.float32)
    for _ in range(2):
        loudspeaker.play(tone_S)
    assert 0.15 < loudspeaker.queued_s <= 0.201
    stream.callback(out_SC, 441, None, None)
    assert np.abs(out_SC[200:]).max() > 0.9
    loudspeaker.fall_silent()
    stream.callback(out_SC, 441, None, None)
    assert not out_SC.any()
    for _ in range(50):
        loudspeaker.play(tone_S)
    assert loudspeaker.queued_s <= MOST_QUEUED_S
    loudspeaker.close()
    assert not stream.is_open
