"""Performing offline with a small random pack: lengths, reproducibility, streaming and what drives it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.base.job import FilmPiece, PerformJob, PromptSpan
from engine.base.performer import perform
from engine.errors import BadInputError, CancelledError, CharacterError
from engine.flow.guidance import GuidanceScales
from engine.loaded_pack import LoadedPack, load_pack
from engine.precision import FORMAT_VARIABLE
from tests.engine.small_pack import SIZE_PX, small_character, write_small_pack


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    return load_pack(write_small_pack(tmp_path_factory.mktemp("packs") / "small"))


def job(num_frames: int = 50) -> PerformJob:
    voice_S = 0.3 * np.random.default_rng(0).standard_normal(num_frames * 1000).astype(np.float32)
    return PerformJob(
        character=small_character(), num_frames=num_frames, speak_S=voice_S, listen_S=voice_S[::-1].copy()
    )


def film(pack: LoadedPack, job: PerformJob) -> NDArray[np.uint8]:
    return np.concatenate([piece.frames_THWC for piece in perform(pack, job)])


@pytest.mark.parametrize("num_frames", [1, 4, 23, 24, 25, 50])
def test_a_film_has_exactly_the_frames_asked_for(pack: LoadedPack, num_frames: int) -> None:
    pieces = list(perform(pack, replace(job(), num_frames=num_frames)))
    assert sum(len(piece.frames_THWC) for piece in pieces) == num_frames
    assert [piece.start_frame for piece in pieces] == list(np.cumsum([0] + [len(p.frames_THWC) for p in pieces[:-1]]))
    assert pieces[-1].progress == (num_frames, num_frames)
    assert pieces[0].frames_THWC.shape[1:] == (SIZE_PX, SIZE_PX, 3)
    assert all("denoise" in piece.stages_s for piece in pieces)


def test_the_same_seed_gives_the_same_film_and_another_seed_another(pack: LoadedPack) -> None:
    first = film(pack, job())
    assert np.array_equal(first, film(pack, job()))
    assert not np.array_equal(first, film(pack, replace(job(), seed=1)))


@pytest.mark.parametrize("track", ["speak_S", "listen_S"])
def test_each_track_matters_and_a_muted_track_is_one_that_is_not_there(pack: LoadedPack, track: str) -> None:
    plain = film(pack, job())
    muted = film(pack, replace(job(), **{track: None}))
    silent = film(pack, replace(job(), **{track: np.zeros(50_000, dtype=np.float32)}))
    assert not np.array_equal(plain, muted)
    assert np.array_equal(muted, silent)


def test_sound_after_a_window_does_not_change_it(pack: LoadedPack) -> None:
    later = job()
    assert later.speak_S is not None
    changed_S = later.speak_S.copy()
    changed_S[40_000:] = 0.0
    plain, changed = film(pack, later), film(pack, replace(later, speak_S=changed_S))
    assert np.array_equal(plain[:20], changed[:20])
    assert not np.array_equal(plain[30:], changed[30:])


def test_a_prompt_acts_on_its_own_span(pack: LoadedPack) -> None:
    prompts = (PromptSpan(start_frame=30, end_frame=50, text="laughs"),)
    plain, directed = film(pack, job()), film(pack, replace(job(), prompts=prompts))
    assert np.array_equal(plain[:20], directed[:20])
    assert not np.array_equal(plain[30:], directed[30:])


def test_a_first_frame_of_ones_own_matters(pack: LoadedPack) -> None:
    picture = np.zeros((SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    picture[:, : SIZE_PX // 2] = 255
    given = replace(job(), first_frame_HWC=picture)
    assert len(film(pack, given)) == 50
    assert not np.array_equal(film(pack, job()), film(pack, given))


def test_guidance_of_one_everywhere_is_the_plain_model(pack: LoadedPack) -> None:
    strong = replace(job(24), guidance=GuidanceScales(text=1.0, speak=3.0, listen=1.0))
    assert np.array_equal(film(pack, job(24)), film(pack, replace(job(24), guidance=GuidanceScales())))
    assert not np.array_equal(film(pack, job(24)), film(pack, strong))


def test_guidance_leads_away_from_what_the_encoder_makes_of_no_text(pack: LoadedPack) -> None:
    class Talkative:
        """As UMT5: the empty text has rows of its own."""

        num_tokens, width = pack.text_encoder.num_tokens, pack.text_encoder.width

        def encode(self, texts: Sequence[str]) -> Tensor:
            is_empty_B11 = torch.tensor([not text for text in texts])[:, None, None]
            return pack.text_encoder.encode(texts) + 3.0 * is_empty_B11

    told = replace(job(24), prompts=(PromptSpan(start_frame=0, end_frame=24, text="laughs"),))
    talkative = replace(pack, text_encoder=Talkative())
    plain, led = (replace(told, guidance=GuidanceScales(text=scale, speak=scale, listen=scale)) for scale in (1.0, 4.0))
    assert np.array_equal(film(pack, plain), film(talkative, plain))
    assert not np.array_equal(film(pack, led), film(talkative, led))


def test_cancelling_ends_soon(pack: LoadedPack) -> None:
    pieces: list[FilmPiece] = []
    with pytest.raises(CancelledError):
        for piece in perform(pack, job(500), should_stop=lambda: bool(pieces)):
            pieces.append(piece)
    assert len(pieces) == 1


def test_bad_jobs_are_refused_in_words(pack: LoadedPack) -> None:
    with pytest.raises(BadInputError, match="at least one frame"):
        replace(job(), num_frames=0)
    with pytest.raises(BadInputError, match="finite"):
        replace(job(), speak_S=np.full(1000, np.nan, dtype=np.float32))
    with pytest.raises(BadInputError, match="begin at 0 or later"):
        PromptSpan(start_frame=5, end_frame=5, text="")
    nobody = replace(small_character(), references=())
    with pytest.raises(CharacterError, match="no global reference"):
        list(perform(pack, replace(job(), character=nobody)))


def test_history_that_keeps_nothing_begins_each_window_from_the_reference(
    pack: LoadedPack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was performed before no longer matters to a later window; how much matters is a setting of the pack."""
    monkeypatch.setenv(FORMAT_VARIABLE, "float32")  # a little history must be told from rounding
    plain = job()
    other_S = np.concatenate([np.zeros(4_000, dtype=np.float32), plain.speak_S[4_000:]])  # type: ignore[index]
    forgetful = replace(pack, base=replace(pack.base, history_keep=0.0, overlap_latents=0, history_latents=1))
    faithful = replace(forgetful, base=replace(forgetful.base, history_keep=1.0))
    last = slice(44, 50)
    changed = replace(plain, speak_S=other_S)
    assert np.array_equal(film(forgetful, plain)[last], film(forgetful, changed)[last])
    assert not np.array_equal(film(faithful, plain)[last], film(faithful, changed)[last])
