"""Random lives of a session: whatever is pushed, set, interrupted, paused or restored, no frame is lost, shown twice or out of order."""

import random
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from engine.errors import BadInputError
from engine.online.live import LiveFrame
from engine.online.session import MOST_IN_FLIGHT, LiveSession
from engine.online.snapshots import read_snapshot
from tests.engine.online.stand_in import stand_in_session


class Witness:
    """Looks at every frame that a session gives out."""

    def __init__(self, chunk_frames: int) -> None:
        self.chunk_frames = chunk_frames
        self.next_index = 0
        self.position = -1  # of the last new picture: frames of latents, numbered on
        self.next_sample = 1.0
        self.is_paced = False

    def see(self, frame: LiveFrame) -> None:
        assert frame.index == self.next_index, "the clock jumped"
        self.next_index += 1
        if not frame.is_repeat:
            latent = int(frame.picture_HWC[0, 0, 0])
            if not self.is_paced:
                assert latent == ((self.position + 1) // 2) % 256, "a picture was lost or shown twice"
                self.position += 1
            else:
                assert (latent - self.position // 2) % 256 < 128, "pictures went back"
        spoken = frame.speak_S[frame.speak_S != 0]
        if len(spoken):
            assert spoken[0] >= self.next_sample, "sound was heard twice"
            assert np.array_equal(spoken, spoken[0] + np.arange(len(spoken))), "sound was lost inside a frame"
            self.next_sample = float(spoken[-1]) + 1


class Life:
    """One session and what is done to it. Spoken samples are numbered, so that each can be recognised."""

    def __init__(self, seed: int, folder: Path, is_paced: bool = False) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        chunk_latents = self.random.choice((1, 2, 3))
        self.session = stand_in_session(chunk_latents, most_frames=self.random.choice((2, 5, 8)))
        self.witness = Witness(chunk_latents * 2)
        self.is_paced = self.witness.is_paced = is_paced
        self.spoken = 0

    def run(self, num_acts: int) -> None:
        acts = [self.pull, self.pull, self.pull, self.work, self.work, self.speak, self.listen, self.prompt]
        acts += [self.interrupt, self.pause, self.restore if self.random.random() < 0.1 else self.pull]
        for _ in range(num_acts):
            self.random.choice(acts)()
            self.check()
        self.session.resume()
        before = self.witness.next_index
        self.is_paced = False
        for _ in range(2 * self.witness.chunk_frames):
            self.pull()
        assert self.witness.next_index == before + 2 * self.witness.chunk_frames, "the session came to a standstill"
        self.session.close()

    def pull(self) -> None:
        frame = self.session.pull_now() if self.is_paced else self.session.pull()
        paused = self.session._conductor.is_paused
        assert (frame is None) == paused
        if frame is not None:
            self.witness.see(frame)

    def work(self) -> None:
        for _ in range(self.random.randrange(1, 6)):
            self.session.work()

    def speak(self) -> None:
        count = self.random.choice((0, 1, 333, 1000, 2500, 9000, 200_000))
        sound_S = np.arange(self.spoken + 1, self.spoken + count + 1, dtype=np.float32)
        try:
            self.session.push_speak(sound_S)
            self.spoken += count
        except BadInputError:
            assert count + self.session._conductor.speak.waiting_samples > 5 * 24_000

    def listen(self) -> None:
        self.session.push_listen(np.ones(self.random.randrange(0, 3000), np.float32))
        self.session._conductor.listen.drop_oldest_waiting(10_000)

    def prompt(self) -> None:
        self.session.set_prompt(self.random.choice(("", "smiles", "nods")), withdraw=self.random.random() < 0.5)

    def interrupt(self) -> None:
        ahead = self.session.ahead_frames
        withdrawn = self.session.interrupt(withdraw=self.random.random() < 0.7)
        assert 0 <= withdrawn <= ahead
        assert self.session._conductor.speak.waiting_samples == 0

    def pause(self) -> None:
        if self.random.random() < 0.4:
            self.session.pause()
        else:
            self.session.resume()

    def restore(self) -> None:
        self.session.snapshot(self.folder)
        fresh = stand_in_session(
            self.witness.chunk_frames // 2, most_frames=self.session._conductor.config.lookahead.most_frames
        )
        restored = read_snapshot(self.folder, self.session.identity).fill(fresh, "caller")
        restored._conductor.is_paced = self.session._conductor.is_paced
        shutil.rmtree(self.folder)
        self.session.close()
        self.session = restored

    def check(self) -> None:
        conductor = self.session._conductor
        assert conductor.in_flight == len(self.session._caller_tasks) <= 2 * MOST_IN_FLIGHT
        stale = [task for task in self.session._caller_tasks if conductor.is_stale(task.payload.job)]
        assert conductor.stale_in_flight == len(stale) and conductor.in_flight - len(stale) <= MOST_IN_FLIGHT
        assert len(conductor.ready) <= conductor.most_ahead_frames
        assert conductor.clock <= conductor.next_frame
        if not self.is_paced:
            assert conductor.ahead_frames <= conductor.most_ahead_frames
        assert conductor.clock == self.witness.next_index
        assert conductor.speak.waiting_samples <= 5 * 24_000
        assert len(conductor.speak._sound_S) < 8 * 24_000


def expect_good_lives(seeds: range, folder: Path, num_acts: int = 30) -> None:
    for seed in seeds:
        try:
            Life(seed, folder / "snapshot", is_paced=seed % 3 == 2).run(num_acts)
        except AssertionError as error:
            raise AssertionError(f"in the life of seed {seed}: {error}") from error


def test_random_lives(tmp_path: Path) -> None:
    expect_good_lives(range(200), tmp_path)


@pytest.mark.long
def test_ten_thousand_random_lives(tmp_path: Path) -> None:
    expect_good_lives(range(10_000), tmp_path)


def busy_threads(session: LiveSession, witness: Witness, num_frames: int, seed: int) -> None:
    """Somebody pushes, somebody interrupts, somebody pulls, all at once."""
    ended = threading.Event()
    errors: list[BaseException] = []

    def disturb(number: int) -> None:
        chance = random.Random(1000 * seed + number)
        spoken = 0
        try:
            while not ended.wait(chance.random() * 0.003):
                act = chance.randrange(5)
                if act == 0 and number == 0 and session._conductor.speak.waiting_samples < 24_000:
                    count = chance.randrange(1, 4000)
                    session.push_speak(np.arange(spoken + 1, spoken + count + 1, dtype=np.float32))
                    spoken += count
                elif act == 1:
                    session.interrupt()
                elif act == 2:
                    session.set_prompt("nods", withdraw=True)
                elif act == 3:
                    session.pause()
                session.resume()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=disturb, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        while witness.next_index < num_frames:
            frame = session.pull(timeout_s=20.0)
            if frame is not None:
                witness.see(frame)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        session.close()
    assert errors == []


@pytest.mark.parametrize("split", ["pipeline", "one worker"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_with_threads_of_its_own_and_others_beside(split: str, seed: int) -> None:
    session = stand_in_session(2, split=split)
    busy_threads(session, Witness(4), num_frames=150, seed=seed)
    assert not any(thread.name.startswith("live ") for thread in threading.enumerate())
