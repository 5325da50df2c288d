"""Live sessions on packs that retouch: the plan's own anchor in every frame, also of what is made anew, and the same however it is made."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from engine import perform_online
from engine.base.job import PerformJob
from engine.loaded_pack import LoadedPack, load_pack
from engine.online.live import LiveConfig
from engine.online.opening import open_session, restore_session
from engine.online.session import LiveSession
from engine.online.stages import StreamingDecoder
from engine.posing.retoucher import PlannedPose
from engine.precision import fast_autocast
from tests.engine.online.small_online_pack import write_small_retouched_pack
from tests.engine.online.small_sessions import CHUNK, NODDING, VOICE, in_short_windows, pictures, pull
from tests.engine.small_pack import (
    POSED_ROW_WIDTH,
    all_the_way,
    picture_of,
    striking_character,
    write_small_retouch_pack,
)

pytestmark = pytest.mark.usefixtures("one_thread")

WRITERS = {"base": write_small_retouch_pack, "causal": write_small_retouched_pack}


@pytest.fixture(scope="module", params=WRITERS)
def pack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    return in_short_windows(load_pack(WRITERS[request.param](tmp_path_factory.mktemp("packs") / "small")))


def opened(pack: LoadedPack, config: LiveConfig = NODDING) -> LiveSession:
    session = open_session(striking_character(), pack, config)
    session.push_speak(VOICE)
    return session


def planned_rows(session: LiveSession) -> Tensor:
    """All that is planned of a session that is not old yet, [1, F, M]."""
    rows_BFM: Tensor = session._stages.generator.motion.planner.rows(0)  # type: ignore[attr-defined]
    return rows_BFM


def moved_anchor(pack: LoadedPack, rows_BFM: Tensor) -> NDArray[np.uint8]:
    poser = pack.poser()
    assert poser is not None
    with fast_autocast(pack.device):
        moved_BTCHW = poser.moved(picture_of(pack, striking_character().references[0]), rows_BFM).pixels_BTCHW
    frames_THWC = rearrange((moved_BTCHW[0].clamp(-1, 1) + 1) * 127.5, "t c h w -> t h w c")
    return frames_THWC.round().to(torch.uint8).numpy()


def test_the_whole_way_is_the_anchor_in_the_planned_pose_of_every_frame(pack: LoadedPack) -> None:
    with opened(replace(pack, retouch=all_the_way())) as session:
        shown_THWC = pictures(pull(session, 3 * CHUNK))
        wanted_THWC = moved_anchor(pack, planned_rows(session))
    assert np.array_equal(shown_THWC, wanted_THWC[: 3 * CHUNK])
    assert (np.diff(wanted_THWC.astype(int), axis=0) != 0).any(axis=(1, 2, 3)).all(), "every frame is another pose"


def test_what_is_made_anew_after_an_interruption_is_retouched_by_its_new_plan(pack: LoadedPack) -> None:
    with opened(replace(pack, retouch=all_the_way())) as session:
        first = pull(session, CHUNK + 2)
        for _ in range(20):
            session.work()
        withdrawn_BFM = planned_rows(session)
        session.set_prompt("shakes the head", withdraw=True)
        shown_THWC = pictures(first + pull(session, 2 * CHUNK))
        assert session.report().withdrawn_frames > 0
        rows_BFM = planned_rows(session)
    assert np.array_equal(shown_THWC, moved_anchor(pack, rows_BFM)[: len(shown_THWC)])
    num_both = min(rows_BFM.shape[1], withdrawn_BFM.shape[1])
    assert not torch.equal(rows_BFM[:, :num_both], withdrawn_BFM[:, :num_both])


def test_it_shows_and_only_in_pictures(pack: LoadedPack) -> None:
    films, plans = [], []
    for each in (pack, replace(pack, retouch=None)):
        with opened(each) as session:
            films.append(pictures(pull(session, 2 * CHUNK)))
            plans.append(planned_rows(session)[:, : 2 * CHUNK // 4])
    assert not np.array_equal(films[0], films[1])
    assert torch.equal(plans[0], plans[1])


def test_a_session_from_a_file_goes_on_to_the_same_frames(pack: LoadedPack, tmp_path: Path) -> None:
    with opened(pack) as session:
        pull(session, CHUNK)
        session.snapshot(tmp_path / "kept")
        following = pictures(pull(session, 2 * CHUNK))
    with restore_session(tmp_path / "kept", striking_character(), pack, split="caller") as session:
        restored = pictures(pull(session, 2 * CHUNK))
    assert np.array_equal(following, restored)


def test_a_pipeline_of_threads_retouches_as_one_thread_does(pack: LoadedPack) -> None:
    """And moves pictures in a thread of their own, all of a chunk's before the first is decoded: the next chunk must not come between."""
    films = []
    for split in ("caller", "pipeline"):
        with open_session(striking_character(), pack, replace(NODDING, split=split)) as session:
            films.append(pictures(pull(session, 3 * CHUNK)))
            spans = [span for span in session.trace.spans() if span.chunk == 0]
    assert np.array_equal(films[0], films[1])
    latents_a_chunk = CHUNK // pack.codec.frames_per_latent
    made = sorted(spans, key=lambda span: span.began_s)
    assert [span.stage for span in made][-2 * latents_a_chunk :] == ["posing"] * latents_a_chunk + [
        "vae"
    ] * latents_a_chunk
    assert {span.worker for span in spans if span.stage != "posing"} == {span.worker for span in spans} - {"posing"}


def test_a_film_from_files_is_that_of_a_session(tmp_path: Path) -> None:
    pack, num_frames = load_pack(write_small_retouched_pack(tmp_path / "small")), 2 * CHUNK + 5
    asked = PerformJob(
        character=striking_character(), num_frames=num_frames, speak_S=VOICE[: num_frames * 1000], seed=4
    )
    film_THWC = np.concatenate([piece.frames_THWC for piece in perform_online(pack, asked)])
    with open_session(striking_character(), pack, LiveConfig(seed=4, split="caller")) as session:
        session.push_speak(VOICE[: num_frames * 1000])
        shown_THWC = pictures(pull(session, num_frames))
    assert np.array_equal(film_THWC, shown_THWC)


@pytest.mark.parametrize("cuts", [(3, 3, 3), (2, 4, 3), (1, 8)])
def test_pictures_are_the_same_in_chunks_of_any_length_and_made_again(pack: LoadedPack, cuts: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    latents_BFCHW = torch.randn(1, 9, 4, 4, 4, generator=generator)
    rows_BFM = torch.randn(1, 9, POSED_ROW_WIDTH, generator=generator)
    own = picture_of(pack, striking_character().references[0])

    retoucher = pack.retoucher(pack.poser())
    assert retoucher is not None

    def decoder() -> StreamingDecoder:
        return StreamingDecoder(pack.codec, torch.zeros(1, 4, 4, 4), own.pixels_BCHW, 9, retoucher)

    def decoded(by: StreamingDecoder, cut: slice, first: int) -> NDArray[np.uint8]:
        pose = PlannedPose(picture=own, rows_BFM=rows_BFM[:, cut])
        return by.decode(first, latents_BFCHW[:, cut], retoucher.moved(pose))

    whole_THWC = decoded(decoder(), slice(0, 9), 0)
    by, first, chunks = decoder(), 0, []
    for length in cuts:
        chunks.append(decoded(by, slice(first, first + length), first))
        first += length
    assert np.abs(np.concatenate(chunks).astype(int) - whole_THWC).max() <= 1
    again_THWC = decoded(by, slice(first - cuts[-1], first), first - cuts[-1])
    assert np.array_equal(again_THWC, chunks[-1]), "going back changes nothing"
    one_by_one = decoder()
    singly = [decoded(one_by_one, slice(latent, latent + 1), latent) for latent in range(9)]
    back = 9 - cuts[-1] + 1  # within a chunk: what is smoothed against is what was shown, retouched
    assert all(
        np.array_equal(decoded(one_by_one, slice(latent, latent + 1), latent), singly[latent])
        for latent in range(back, 9)
    )
    with pytest.raises(ValueError, match="keep a copy at every latent"):
        StreamingDecoder(
            pack.codec,
            torch.zeros(1, 4, 4, 4),
            own.pixels_BCHW,
            9,
            retoucher,
            latents_a_copy=3,
        )
