"""The sound card's microphones and loudspeaker through PortAudio.

PortAudio calls back from a thread of its own, which must never wait: it only appends to and takes from bounded queues. A microphone
that is unplugged raises nothing by itself, so the time since its last callback is watched.
"""

import logging
import threading
import time
from collections import deque
from typing import Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.errors import BadInputError
from engine.shapes import SOUND_RATE_HZ
from studio.live.sound_files import MOST_QUEUED_S, SilentLoudspeaker
from studio.live.sound_ports import DeviceLostError, Loudspeaker, MicrophoneChoice
from studio.playback.clocks import load_sounddevice

_log = logging.getLogger(__name__)
PACKETS_A_SECOND: Final = 50
MOST_UNREAD_PACKETS: Final = 2 * PACKETS_A_SECOND
FIRST_PACKET_S: Final = 4.0  # the first callback can come seconds late
LOST_AFTER_S: Final = 1.0


class CardMicrophone:
    """One input device; its first channel."""

    def __init__(self, sounddevice: Any, device: int) -> None:
        """Open and start it; `BadInputError` where it cannot be used."""
        try:
            info = sounddevice.query_devices(device)
            self._name = str(info["name"])
            self.rate_hz = int(info["default_samplerate"])
            self._packets: deque[NDArray[np.float32]] = deque(maxlen=MOST_UNREAD_PACKETS)
            self._last_packet_s = time.monotonic() + FIRST_PACKET_S - LOST_AFTER_S
            self._stream = sounddevice.InputStream(
                device=device,
                samplerate=self.rate_hz,
                blocksize=self.rate_hz // PACKETS_A_SECOND,
                channels=1,
                dtype="float32",
                latency="low",
                callback=self._take,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise BadInputError(
                f"this microphone cannot be used ({error}); pick another, or connect it again"
            ) from error

    def _take(self, packet_SC: NDArray[np.float32], num_samples: int, when: object, status: object) -> None:
        del num_samples, when, status
        self._packets.append(packet_SC[:, 0].copy())
        self._last_packet_s = time.monotonic()

    def begin(self) -> None:
        """Forget what came until now."""
        self._packets.clear()

    def read(self) -> NDArray[np.float32]:
        """What came since the last reading; the oldest is lost where nobody read for two seconds."""
        if time.monotonic() - self._last_packet_s > LOST_AFTER_S:
            raise DeviceLostError(
                f"{self._name}: nothing comes from this microphone any more; connect it and start again"
            )
        packets = [self._packets.popleft() for _ in range(len(self._packets))]
        return np.concatenate(packets) if packets else np.zeros(0, np.float32)

    def close(self) -> None:
        """Stop at once and let the device go."""
        self._stream.abort()
        self._stream.close()


class CardLoudspeaker:
    """The system's output device; never more than half a second waits in it."""

    def __init__(self, sounddevice: Any) -> None:
        """Open and start it; raises what sounddevice raises where that fails."""
        info = sounddevice.query_devices(kind="output")
        self._rate_hz = int(info["default_samplerate"])
        self._resampler = self._new_resampler()
        self._lock = threading.Lock()
        self._waiting: deque[NDArray[np.float32]] = deque()
        self._num_waiting = 0
        self._stream = sounddevice.OutputStream(
            samplerate=self._rate_hz, channels=1, dtype="float32", latency="low", callback=self._fill
        )
        self._stream.start()

    @property
    def queued_s(self) -> float:
        """What waits here."""
        return self._num_waiting / self._rate_hz

    @property
    def latency_s(self) -> float:
        """What PortAudio says of the device."""
        return float(self._stream.latency)

    def play(self, sound_S: NDArray[np.float32]) -> None:
        """Append; where the device takes nothing, the oldest is forgotten."""
        piece_S = sound_S if self._resampler is None else self._resampler.resample_chunk(sound_S)
        with self._lock:
            self._waiting.append(piece_S)
            self._num_waiting += len(piece_S)
            while self._num_waiting > MOST_QUEUED_S * self._rate_hz:
                self._num_waiting -= len(self._waiting.popleft())

    def fall_silent(self) -> None:
        """The next callback finds nothing."""
        with self._lock:
            self._waiting.clear()
            self._num_waiting = 0
        self._resampler = self._new_resampler()

    def close(self) -> None:
        """Stop at once and let the device go."""
        self._stream.abort()
        self._stream.close()

    def _new_resampler(self) -> Any:
        if self._rate_hz == SOUND_RATE_HZ:
            return None
        return soxr.ResampleStream(SOUND_RATE_HZ, self._rate_hz, 1, dtype="float32", quality="HQ")

    def _fill(self, out_SC: NDArray[np.float32], num_samples: int, when: object, status: object) -> None:
        del when, status
        out_SC[:] = 0.0
        place = 0
        with self._lock:
            while self._waiting and place < num_samples:
                piece_S = self._waiting.popleft()
                taken = min(len(piece_S), num_samples - place)
                out_SC[place : place + taken, 0] = piece_S[:taken]
                if taken < len(piece_S):
                    self._waiting.appendleft(piece_S[taken:])
                place += taken
            self._num_waiting -= place


class SoundCard:
    """The devices that PortAudio knows. Asking takes a while the first time: ask on a background thread."""

    def microphones(self) -> tuple[MicrophoneChoice, ...]:
        """All inputs, the system's own choice first; none where there is no sound library."""
        sounddevice = load_sounddevice()
        if sounddevice is None:
            return ()
        try:
            devices = list(sounddevice.query_devices())
            first = int(sounddevice.default.device[0])
        except Exception as error:  # PortAudio reports a missing sound system in several kinds of exception
            _log.info("microphones cannot be listed: %s", error)
            return ()
        numbers = [number for number, info in enumerate(devices) if info["max_input_channels"] > 0]
        numbers.sort(key=lambda number: number != first)
        return tuple(
            MicrophoneChoice(
                name=str(devices[number]["name"]),
                open=lambda number=number: CardMicrophone(sounddevice, number),  # type: ignore[misc]
            )
            for number in numbers
        )

    def open_loudspeaker(self) -> Loudspeaker:
        """The system's loudspeaker, or one that is silent."""
        sounddevice = load_sounddevice()
        if sounddevice is None:
            return SilentLoudspeaker()
        try:
            return CardLoudspeaker(sounddevice)
        except Exception as error:  # as above
            _log.info("live without a loudspeaker: %s", error)
            return SilentLoudspeaker()
