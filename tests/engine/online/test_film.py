"""Films from files by small causal models: those of a session that is pulled, however the sound was cut, read and muted."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from engine import perform_online
from engine.base.job import SAMPLES_PER_FRAME, FilmPiece, MuteSpan, PerformJob, PromptSpan
from engine.errors import BadInputError, CancelledError
from engine.flow.guidance import GuidanceScales
from engine.loaded_pack import LoadedPack, load_pack
from engine.online import film as film_module
from engine.online.film import live_film
from engine.online.live import LiveConfig
from engine.online.opening import open_session
from tests.engine.online.small_online_pack import write_small_posed_pack
from tests.engine.online.small_sessions import CHUNK
from tests.engine.small_pack import SIZE_PX, small_character, striking_character, write_small_pack

pytestmark = pytest.mark.usefixtures("one_thread")

NUM_FRAMES = 3 * CHUNK + 5


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    return load_pack(write_small_posed_pack(tmp_path_factory.mktemp("packs") / "pack"))


def noise(num_frames: int = NUM_FRAMES) -> NDArray[np.float32]:
    return 0.3 * np.random.default_rng(0).standard_normal(num_frames * SAMPLES_PER_FRAME).astype(np.float32)


def told(*spans: tuple[int, int, str]) -> tuple[PromptSpan, ...]:
    return tuple(PromptSpan(start_frame=start, end_frame=end, text=text) for start, end, text in spans)


def job() -> PerformJob:
    return PerformJob(
        character=striking_character(),
        num_frames=NUM_FRAMES,
        speak_S=noise(),
        listen_S=noise()[::-1].copy(),
        prompts=told((0, NUM_FRAMES, "smiles")),
        seed=4,
    )


def film(pack: LoadedPack, job: PerformJob) -> NDArray[np.uint8]:
    return np.concatenate([piece.frames_THWC for piece in perform_online(pack, job)])


def first_difference(one_THWC: NDArray[np.uint8], other_THWC: NDArray[np.uint8]) -> int:
    """The first frame that differs; the number of frames where none does."""
    differs = (one_THWC != other_THWC).any(axis=(1, 2, 3))
    return int(differs.argmax()) if differs.any() else len(differs)


@pytest.fixture(scope="module")
def wanted(pack: LoadedPack) -> NDArray[np.uint8]:
    return film(pack, job())


def test_the_film_is_what_a_session_gives_that_is_told_all_and_pulled(
    pack: LoadedPack, wanted: NDArray[np.uint8]
) -> None:
    asked = job()
    with open_session(asked.character, pack, LiveConfig(seed=4, prompt="smiles", split="caller")) as session:
        session.push_speak(noise())
        session.push_listen(noise()[::-1].copy())
        pulled = [session.pull(timeout_s=60.0) for _ in range(NUM_FRAMES)]
    assert np.array_equal(wanted, np.stack([frame.picture_HWC for frame in pulled if frame is not None]))


@pytest.mark.parametrize(("block", "ahead"), [(1, CHUNK), (5, CHUNK + 7), (7, 2 * NUM_FRAMES)])
def test_however_the_sound_is_pushed_the_film_is_the_same(
    pack: LoadedPack, wanted: NDArray[np.uint8], block: int, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film_module, "BLOCK_FRAMES", block)
    monkeypatch.setattr(film_module, "AHEAD_FRAMES", ahead)
    assert np.array_equal(film(pack, job()), wanted)


def test_sound_that_came_after_its_chunk_would_be_another_film(
    pack: LoadedPack, wanted: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film_module, "AHEAD_FRAMES", 0)
    assert not np.array_equal(film(pack, job()), wanted)


class WatchedSound:
    """A long sound of which no more is in memory than what is read; remembers what was."""

    ndim = 1

    def __init__(self, num_samples: int) -> None:
        self.num_samples = num_samples
        self.cuts: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return self.num_samples

    def __getitem__(self, cut: slice) -> NDArray[np.float32]:
        first, end, _ = cut.indices(self.num_samples)
        self.cuts.append((first, end))
        return np.full(end - first, 0.1, np.float32)


def test_a_long_sound_is_read_in_its_order_and_only_as_far_as_the_film_gets(pack: LoadedPack) -> None:
    sound_S = WatchedSound(600 * 24_000)
    asked = replace(job(), speak_S=sound_S)
    sound_S.cuts.clear()
    film(pack, asked)
    assert sound_S.cuts[0][0] == 0
    assert all(end == start for (_, end), (start, _) in pairwise(sound_S.cuts))
    assert max(end - first for first, end in sound_S.cuts) <= film_module.BLOCK_FRAMES * SAMPLES_PER_FRAME
    furthest = NUM_FRAMES + film_module.AHEAD_FRAMES + film_module.BLOCK_FRAMES
    assert sound_S.cuts[-1][1] <= furthest * SAMPLES_PER_FRAME


def test_a_film_has_exactly_the_frames_asked_for_in_chunks(pack: LoadedPack) -> None:
    for num_frames in (1, CHUNK, CHUNK + 1):
        pieces = list(perform_online(pack, replace(job(), num_frames=num_frames)))
        starts = list(range(0, num_frames, CHUNK))
        assert sum(len(piece.frames_THWC) for piece in pieces) == num_frames
        assert [piece.start_frame for piece in pieces] == starts
        assert [piece.join_frames for piece in pieces] == [(start,) if start else () for start in starts]
        assert pieces[-1].progress == (num_frames, num_frames)
        assert pieces[0].frames_THWC.shape[1:] == (SIZE_PX, SIZE_PX, 3)
        assert all({"encode", "generator", "refiner", "vae"} <= set(piece.stages_s) for piece in pieces)
        assert ["opening" in piece.stages_s for piece in pieces] == [True] + [False] * (len(pieces) - 1)


def test_another_seed_is_another_film_however_large(pack: LoadedPack, wanted: NDArray[np.uint8]) -> None:
    assert not np.array_equal(film(pack, replace(job(), seed=2**63 - 1)), wanted)


@pytest.mark.parametrize("track", ["speak", "listen"])
def test_a_mute_acts_where_it_is_and_one_of_all_is_no_track(
    pack: LoadedPack, wanted: NDArray[np.uint8], track: str
) -> None:
    def muted(start: int, end: int) -> NDArray[np.uint8]:
        return film(pack, replace(job(), mutes=(MuteSpan(track=track, start_frame=start, end_frame=end),)))  # type: ignore[arg-type]

    late = first_difference(muted(2 * CHUNK, 3 * CHUNK), wanted)
    assert 2 * CHUNK <= late < NUM_FRAMES
    without = film(pack, replace(job(), **{f"{track}_S": None}))
    assert np.array_equal(muted(0, NUM_FRAMES), without)
    assert not np.array_equal(without, wanted)


def test_a_direction_acts_from_the_first_chunk_that_begins_under_it(
    pack: LoadedPack, wanted: NDArray[np.uint8]
) -> None:
    changed = film(pack, replace(job(), prompts=told((0, CHUNK + 2, "smiles"), (CHUNK + 2, NUM_FRAMES, "nods"))))
    assert first_difference(changed, wanted) == 2 * CHUNK
    at_once = film(pack, replace(job(), prompts=told((0, CHUNK, "smiles"), (CHUNK, NUM_FRAMES, "nods"))))
    assert first_difference(at_once, wanted) == CHUNK


def test_a_film_begins_from_a_first_frame_of_ones_own(pack: LoadedPack, wanted: NDArray[np.uint8]) -> None:
    portrait_HWC = striking_character().global_picture_HWC
    assert np.array_equal(film(pack, replace(job(), first_frame_HWC=portrait_HWC)), wanted)
    other_HWC = small_character().global_picture_HWC
    assert first_difference(film(pack, replace(job(), first_frame_HWC=other_HWC)), wanted) == 0


def test_whoever_stops_it_is_heard_between_two_chunks(pack: LoadedPack) -> None:
    pieces: list[FilmPiece] = []
    with pytest.raises(CancelledError):
        for piece in perform_online(pack, job(), lambda: bool(pieces)):
            pieces.append(piece)
    assert len(pieces) == 1


def test_what_causal_models_cannot_do_is_refused_before_anything_is_made(pack: LoadedPack) -> None:
    for asked in (replace(job(), num_steps=4), replace(job(), guidance=GuidanceScales(speak=2.0))):
        with pytest.raises(BadInputError, match="leave both out"):
            perform_online(pack, asked)
    with pytest.raises(BadInputError, match="too long"):
        perform_online(pack, replace(job(), prompts=told((0, 5, "x" * 5000))))


def test_a_pack_without_causal_models_performs_live_but_no_online_film(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    base = load_pack(write_small_pack(tmp_path_factory.mktemp("base")))
    with pytest.raises(BadInputError, match="small has no causal models"):
        perform_online(base, job())
    assert sum(len(piece.frames_THWC) for piece in live_film(base, replace(job(), num_frames=5))) == 5
