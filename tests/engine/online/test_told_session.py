"""Live sessions on packs whose causal models are told a plan of motion, and on packs where only half of that is there."""

import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.loaded_pack import LoadedPack, load_pack
from engine.model.chunk import ChunkContext, ChunkInputs, ChunkOutput
from engine.model.transformer import Transformer
from engine.model_config import AudioWindow
from engine.online.live import LiveConfig
from engine.online.lookahead import LookaheadConfig
from engine.online.opening import open_session
from engine.online.rollout import CausalModel, CausalRollout
from engine.online.session import LiveSession
from engine.packs import read_manifest
from tests.engine.motion.counted_sound import check_history, counted_sound, counting, heard, heard_at
from tests.engine.online.small_online_pack import with_causal_models, write_small_told_pack
from tests.engine.online.small_sessions import CHUNK, NODDING, VOICE, pictures, pull
from tests.engine.refusals import describe, refusal
from tests.engine.small_pack import (
    BASE,
    MOTION_SETTINGS,
    MOVED_BASE,
    ROW_WIDTH,
    small_character,
    write_small_motion_pack,
    write_small_pack,
)

pytestmark = pytest.mark.usefixtures("one_thread")

SOUND_FRAMES = 160


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    return load_pack(write_small_told_pack(tmp_path_factory.mktemp("packs")))


def generator_of(session: LiveSession) -> CausalRollout:
    generator = session._stages.generator
    assert isinstance(generator, CausalRollout)
    return generator


def listen_to(
    session: LiveSession, told: list[tuple[int, Transformer, ChunkInputs]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that the models are told from now on, with the chunk's first latent."""
    generator = generator_of(session)
    for causal in (generator.backbone, generator.refiner):
        model, forward = causal.model, causal.model.forward_chunk

        def listening(
            inputs: ChunkInputs,
            context: ChunkContext,
            causal: CausalModel = causal,
            model: Transformer = model,
            forward: Callable[..., ChunkOutput] = forward,
        ) -> ChunkOutput:
            told.append((causal.cache.length, model, inputs))
            return forward(inputs, context)

        monkeypatch.setattr(model, "forward_chunk", listening)


def opened(pack: LoadedPack, config: LiveConfig = NODDING) -> LiveSession:
    session = open_session(small_character(), pack, config)
    session.push_speak(VOICE)
    return session


def test_a_plan_shows(pack: LoadedPack) -> None:
    """What sessions promise, and that they keep it with a plan too, is in `test_session`."""
    films = []
    for each, looks_back in ((pack, MOTION_SETTINGS.history_rows), (replace(pack, motion=None), 0)):
        with opened(each) as session:
            films.append(pictures(pull(session, CHUNK)))
            assert generator_of(session).history_latents == looks_back
    assert not np.array_equal(films[0], films[1])


@pytest.mark.parametrize("history_rows", [1, 6])
def test_models_are_told_the_sound_and_the_motion_of_their_own_latents_also_after_going_back(
    pack: LoadedPack, history_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack, copying, drawing = counting(pack, history_rows)
    assert pack.online is not None
    pair = [Transformer(drawing.config).eval().requires_grad_(False) for _ in range(2)]
    settings = replace(pack.online.settings, audio_future_frames=8)
    pack = replace(pack, online=replace(pack.online, backbone=pair[0], refiner=pair[1], settings=settings))
    told: list[tuple[int, Transformer, ChunkInputs]] = []
    far_ahead = LookaheadConfig(least_frames=2 * CHUNK, most_frames=2 * CHUNK)
    with open_session(small_character(), pack, replace(NODDING, lookahead=far_ahead)) as session:
        listen_to(session, told, monkeypatch)
        session.push_speak(counted_sound(SOUND_FRAMES))
        session.push_listen(counted_sound(SOUND_FRAMES))
        for num_frames in (26, 15, 24):
            pull(session, num_frames)
            for _ in range(20):
                session.work()
            session.set_prompt(f"nods {num_frames} times", withdraw=True)
        assert session.report().withdrawn_frames > 0
    firsts = [first_latent for first_latent, model, _ in told if model is pair[0]]
    assert firsts != sorted(firsts)
    assert {id(model) for _, model, _ in told} == {id(model) for model in pair}
    for first_latent, _, inputs in told:
        latents = range(first_latent, first_latent + inputs.latents_BFCHW.shape[1])
        wanted_BFM = heard_at(latents, drawing.config, SOUND_FRAMES)
        torch.testing.assert_close(heard(inputs, drawing.config), wanted_BFM)  # type: ignore[arg-type]
        assert inputs.motion_BFM is not None
        wanted_BFM = heard_at(latents, copying.config, SOUND_FRAMES)
        torch.testing.assert_close(inputs.motion_BFM, wanted_BFM, rtol=0, atol=0.01)
    check_history(copying.told, copying.config)


def test_models_that_are_not_told_and_packs_that_do_not_plan_work_without(tmp_path: Path) -> None:
    (tmp_path / "planless").mkdir()
    planless = load_pack(with_causal_models(write_small_pack(tmp_path / "planless"), MOVED_BASE))
    untold = load_pack(with_causal_models(write_small_motion_pack(tmp_path / "untold"), BASE))
    assert planless.motion is None
    assert untold.motion is not None
    for pack in (planless, untold):
        with opened(pack) as session:
            assert generator_of(session).motion is None
            assert len(pull(session, CHUNK)) == CHUNK


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"motion_dim": ROW_WIDTH + 1}, "backbone is told rows of 6 numbers, motion plans rows of 5"),
        (
            {"speak_window": AudioWindow(rows_per_latent=4, rows_before=0, rows_after=2)},
            "motion: speak_window hears .* more or other rows than the backbone's",
        ),
    ],
)
def test_models_that_are_told_what_the_pack_does_not_plan_are_refused(
    changes: dict[str, object], words: str, tmp_path: Path
) -> None:
    folder = write_small_told_pack(tmp_path)
    config = asdict(replace(MOVED_BASE, **changes))  # type: ignore[arg-type]
    describe(folder, replace(read_manifest(folder).component("backbone"), config=config))
    assert re.search(words, refusal(folder))
