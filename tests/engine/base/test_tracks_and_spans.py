"""Directions on spans, mutes at any time, and sound that is never read as a whole."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.base.job import MuteSpan, PerformJob, PromptSpan, Track, prompts_in_turn
from engine.base.performer import perform
from engine.errors import BadInputError
from engine.loaded_pack import LoadedPack, load_pack
from engine.media.samples import Samples, Silenced, SpooledSound, Stretch, excerpt
from tests.engine.small_pack import small_character, write_small_pack


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    return load_pack(write_small_pack(tmp_path_factory.mktemp("packs")))


def noise(num_samples: int = 50_000) -> NDArray[np.float32]:
    return 0.3 * np.random.default_rng(0).standard_normal(num_samples).astype(np.float32)


def job() -> PerformJob:
    return PerformJob(character=small_character(), num_frames=50, speak_S=noise(), listen_S=noise()[::-1].copy())


def film(pack: LoadedPack, job: PerformJob) -> NDArray[np.uint8]:
    return np.concatenate([piece.frames_THWC for piece in perform(pack, job)])


def halves(sound_S: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    yield sound_S[:333]
    yield sound_S[333:]


@pytest.mark.parametrize("sound_S", [noise(1000), SpooledSound(halves(noise(1000)))])
def test_sounds_of_every_kind_read_alike(sound_S: Samples) -> None:
    plain_S = noise(1000)
    assert len(sound_S) == 1000
    assert np.array_equal(sound_S[10:700], plain_S[10:700])
    assert len(sound_S[990:1010]) == 10 and len(sound_S[2000:2010]) == 0
    padded_S = excerpt(sound_S, -5, 1005)
    assert np.array_equal(padded_S[5:-5], plain_S) and not padded_S[:5].any() and not padded_S[-5:].any()
    assert not excerpt(sound_S, -20, -10).any() and not excerpt(None, 0, 10).any()
    stretch = Stretch(sound_S, 600, 1500)
    assert len(stretch) == 400
    assert np.array_equal(excerpt(stretch, 0, 500)[:400], plain_S[600:])
    silenced = Silenced(sound_S, [(0, 100), (450, 460)])[90:455]
    assert not silenced[:10].any() and not silenced[-5:].any()
    assert np.array_equal(silenced[10:-5], plain_S[100:450])


@pytest.mark.parametrize("track", ["speak", "listen"])
def test_a_muted_stretch_is_silence_there_and_a_whole_mute_is_no_track(pack: LoadedPack, track: Track) -> None:
    name = f"{track}_S"
    muted = film(pack, replace(job(), mutes=(MuteSpan(track=track, start_frame=20, end_frame=40),)))
    sound_S = job().speak_S if track == "speak" else job().listen_S
    assert sound_S is not None
    silent_S = sound_S[:].copy()
    silent_S[20_000:40_000] = 0
    assert np.array_equal(muted, film(pack, replace(job(), **{name: silent_S})))
    assert not np.array_equal(muted, film(pack, job()))
    whole = replace(job(), mutes=(MuteSpan(track=track, start_frame=0, end_frame=1000),))
    assert np.array_equal(film(pack, whole), film(pack, replace(job(), **{name: None})))


class WatchedSound:
    """Sound that remembers the longest slice asked for."""

    ndim = 1

    def __init__(self, sound_S: NDArray[np.float32]) -> None:
        self.sound_S, self.longest = sound_S, 0

    def __len__(self) -> int:
        return len(self.sound_S)

    def __getitem__(self, cut: slice) -> NDArray[np.float32]:
        self.longest = max(self.longest, len(self.sound_S[cut]))
        return self.sound_S[cut]


def test_sound_is_read_window_by_window_and_from_disk_gives_the_same_film(pack: LoadedPack) -> None:
    long = replace(job(), num_frames=100, speak_S=noise(100_000), listen_S=None)
    watched = WatchedSound(noise(100_000))
    streamed = replace(long, speak_S=watched)
    watched.longest = 0
    plain = film(pack, long)
    assert np.array_equal(film(pack, streamed), plain)
    assert 0 < watched.longest < 60_000
    assert np.array_equal(film(pack, replace(long, speak_S=SpooledSound([noise(100_000)]))), plain)


def test_directions_in_turn_hold_125_frames_each_and_the_last_to_the_end() -> None:
    spans = prompts_in_turn(("smiles", " ", "nods"), 400)
    assert [(span.start_frame, span.end_frame, span.text) for span in spans] == [(0, 125, "smiles"), (250, 400, "nods")]
    assert prompts_in_turn(("smiles",), 30) == (PromptSpan(start_frame=0, end_frame=30, text="smiles"),)
    with pytest.raises(BadInputError, match="do not fit"):
        prompts_in_turn(("a", "b"), 125)
    with pytest.raises(BadInputError, match="do not fit"):
        prompts_in_turn(("a", "b"), 125, 0)


def test_the_direction_of_most_frames_holds() -> None:
    prompts = (PromptSpan(start_frame=0, end_frame=12, text="a"), PromptSpan(start_frame=12, end_frame=40, text="b"))
    told = replace(job(), prompts=prompts)
    assert told.directions.over(4, 16) == "a"
    assert told.directions.over(8, 20) == "b"
    assert told.directions.over(6, 18) == "a", "the earlier of two that share a window"
    assert told.directions.over(36, 48) == "", "nothing is said after the last"
    assert told.directions.over(-4, 2) == "a"
    assert replace(told, num_frames=40).directions.over(36, 60) == "b", (
        "a window that reaches past the film hears its last"
    )


def test_mutes_that_make_no_sense_are_refused() -> None:
    with pytest.raises(BadInputError, match="speak or listen"):
        MuteSpan(track="both", start_frame=0, end_frame=5)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="end after"):
        MuteSpan(track="speak", start_frame=5, end_frame=5)
