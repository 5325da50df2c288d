"""A live session's plan of motion: its sound lies where it should, and what is taken back is planned again the same."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.errors import BadInputError
from engine.loaded_pack import LoadedPack, load_pack
from engine.online.base_windows import BaseWindows
from engine.online.conditions import ChunkConditions
from engine.online.opening import open_session, session_stages
from engine.online.session import LiveSession
from tests.engine.motion.counted_sound import check_history, counted_sound, counting, heard, heard_at
from tests.engine.online.small_sessions import CONFIG, in_short_windows
from tests.engine.small_pack import MOTION_SETTINGS, small_character, write_small_motion_pack

SOUND_FRAMES = 160
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    return in_short_windows(load_pack(write_small_motion_pack(tmp_path_factory.mktemp("packs"))))


def chunks_of(session: LiveSession, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """First latent and length of each chunk that is drafted from now on."""
    generator, chunks = session._stages.generator, []
    draft = generator.draft

    def watched(first_latent: int, conditions: ChunkConditions) -> Tensor:
        chunks.append((first_latent, conditions.num_latents))
        return draft(first_latent, conditions)

    monkeypatch.setattr(generator, "draft", watched)
    return chunks


@pytest.mark.parametrize("history_rows", [1, 3, 8])
@pytest.mark.parametrize(("chunk_latents", "history_latents"), [(1, 1), (2, 2), (3, 1)])
def test_a_plan_hears_the_sound_of_each_latent_also_after_going_back(
    pack: LoadedPack, history_rows: int, chunk_latents: int, history_latents: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(pack.base, num_steps=1, window_latents=5, history_latents=history_latents)
    pack, copying, writing = counting(replace(pack, base=settings), history_rows)
    with open_session(small_character(), pack, replace(CONFIG, chunk_latents=chunk_latents)) as session:
        chunks = chunks_of(session, monkeypatch)
        session.push_speak(counted_sound(SOUND_FRAMES))
        session.push_listen(counted_sound(SOUND_FRAMES))
        for num_frames in (26, 15, 24):
            for _ in range(num_frames):
                session.pull(timeout_s=60.0)
            for _ in range(20):
                session.work()
            session.set_prompt(f"nods {num_frames} times", withdraw=True)
        assert session.report().withdrawn_frames > 0

    ends = [first_latent + num_latents for first_latent, num_latents in chunks]
    assert sum(first_latent < end for end, (first_latent, _) in zip(ends, chunks[1:], strict=False)) >= 2
    assert len(chunks) == len(writing.told)
    for (first_latent, num_latents), told in zip(chunks, writing.told, strict=True):
        latents = range(first_latent - history_latents, first_latent + num_latents)
        wanted_BFM = heard_at(latents, copying.config, SOUND_FRAMES)
        torch.testing.assert_close(heard(told, copying.config), wanted_BFM)
        before = max(-latents.start, 0)
        wanted_BFM[:, :before] = 0.0  # of the portrait before the session nothing is told
        assert told.motion_BFM is not None
        torch.testing.assert_close(told.motion_BFM, wanted_BFM, rtol=0, atol=0.01)
    check_history(copying.told, copying.config)
    assert max(int((told.timestep_BF == 0).sum()) for told in copying.told) == history_rows


def generator_of(pack: LoadedPack, seed: int = 0) -> BaseWindows:
    stages, _ = session_stages(small_character(), pack, replace(CONFIG, seed=seed))
    assert isinstance(stages.generator, BaseWindows)
    return stages.generator


def conditions(pack: LoadedPack, number: int, num_latents: int = 3, effort: int = 0) -> ChunkConditions:
    """Of a chunk that hears noise."""
    config, generator = pack.transformer.config, torch.Generator().manual_seed(number)
    latents = num_latents + max(pack.base.history_latents, MOTION_SETTINGS.history_rows)
    speak, listen = (
        torch.randn(
            1, window.rows_before + latents * window.rows_per_latent + window.rows_after, width, generator=generator
        )
        for window, width in (
            (config.speak_window, config.speak_dim),
            (config.listen_window, config.listen_dim),
        )
    )
    text_BSD = pack.text_encoder.encode([f"nods {number} times"])
    return ChunkConditions(
        num_latents=num_latents, text_BSD=text_BSD, speak_BAD=speak, listen_BAD=listen, effort=effort
    )


def drafted(pack: LoadedPack, generator: BaseWindows, numbers: range) -> Tensor:
    """Chunks of three latents."""
    return torch.cat([drawn(generator, 3 * number, conditions(pack, number)) for number in numbers], dim=1)


def drawn(generator: BaseWindows, first_latent: int, told: ChunkConditions) -> Tensor:
    """A chunk planned and drafted."""
    return generator.draft(first_latent, generator.plan(first_latent, told))


def planned(generator: BaseWindows, num_rows: int) -> Tensor:
    """The last rows of its plan."""
    assert generator.motion is not None
    planner = generator.motion.planner
    return planner.rows(planner.length - num_rows)


def test_chunks_made_again_are_the_same_from_any_latent_on(pack: LoadedPack) -> None:
    generator = generator_of(pack)
    straight = drafted(pack, generator, range(5))
    rows = planned(generator, 6)
    other = drawn(generator, 9, conditions(pack, 77))
    assert not torch.equal(other, straight[:, 9:12])
    assert not torch.equal(planned(generator, 3), rows[:, :3])
    assert torch.equal(drafted(pack, generator, range(3, 5)), straight[:, 9:])
    assert torch.equal(planned(generator, 6), rows)
    assert not torch.equal(drafted(pack, generator_of(pack, seed=1), range(1)), straight[:, :3])


def test_going_back_into_the_middle_of_a_chunk_keeps_the_rows_before_it(pack: LoadedPack) -> None:
    generator = generator_of(pack)
    drafted(pack, generator, range(3))
    before = planned(generator, 4)
    drawn(generator, 7, conditions(pack, 50, num_latents=2))
    assert generator.motion is not None
    assert generator.motion.planner.length == 9
    assert torch.equal(generator.motion.planner.rows(5)[:, :2], before[:, :2])
    assert not torch.equal(generator.motion.planner.rows(5)[:, 2:], before[:, 2:])


@pytest.mark.parametrize("num_chunks", [1, 4])
def test_a_plan_from_a_file_goes_on_the_same(pack: LoadedPack, num_chunks: int) -> None:
    generator, other = generator_of(pack), generator_of(pack)
    drafted(pack, generator, range(num_chunks))
    other.load({name: tensor.clone() for name, tensor in generator.tensors().items()})
    following = range(num_chunks, num_chunks + 2)
    assert torch.equal(drafted(pack, other, following), drafted(pack, generator, following))
    assert torch.equal(planned(other, 4), planned(generator, 4))


@pytest.mark.parametrize("back_to", [6, 12])
def test_a_session_kept_when_a_plan_was_withdrawn_before_it_was_drawn_goes_on_the_same(
    pack: LoadedPack, back_to: int
) -> None:
    straight, generator, other = generator_of(pack), generator_of(pack), generator_of(pack)
    for each in (straight, generator):
        drafted(pack, each, range(4))
    generator.plan(back_to, conditions(pack, 50))
    other.load({name: tensor.clone() for name, tensor in generator.tensors().items()})
    following = range(back_to // 3, 6)
    wanted = drafted(pack, straight, following)
    assert torch.equal(drafted(pack, other, following), wanted)
    assert torch.equal(drafted(pack, generator, following), wanted)


def test_a_plan_that_does_not_fit_its_film_is_refused(pack: LoadedPack) -> None:
    generator = generator_of(pack)
    drafted(pack, generator, range(4))
    kept = generator.tensors()
    latents = kept["motion.latents"]
    for broken in (
        {"motion.length": torch.tensor(11)},
        {"motion.length": torch.tensor(-1)},
        {"motion.latents": latents[:, -1:]},
        {"motion.latents": latents[:, :, :-1]},
        {"motion.latents": latents.double()},
        {"motion.latents": latents.repeat(1, 99, 1, 1, 1), "motion.length": torch.tensor(10_000)},
        {"latents": kept["latents"][:, :0]},
    ):
        with pytest.raises(BadInputError, match="open a new session") as told:
            generator_of(pack).load(kept | broken)
        assert "\n" not in str(told.value)
    for missing in ("motion.latents", "motion.length"):
        with pytest.raises(BadInputError, match="missing"):
            generator_of(pack).load({name: tensor for name, tensor in kept.items() if name != missing})


def test_the_lighter_setting_plans_without_guidance(pack: LoadedPack) -> None:
    assert pack.motion is not None
    unguided = replace(pack.motion.settings, guidance=replace(pack.motion.settings.guidance, speak=1.0, listen=1.0))
    plain = replace(pack, motion=replace(pack.motion, settings=unguided))
    rows = []
    for each, effort in ((pack, 0), (pack, 1), (plain, 0)):
        generator = generator_of(each)
        drawn(generator, 0, conditions(each, 0, effort=effort))
        rows.append(planned(generator, 3))
    assert not torch.equal(rows[0], rows[1])
    assert torch.equal(rows[1], rows[2])


def test_the_memory_of_a_plan_does_not_grow(pack: LoadedPack) -> None:
    generator = generator_of(pack)
    drafted(pack, generator, range(12))
    sizes = {name: tensor.shape for name, tensor in generator.tensors().items()}
    drafted(pack, generator, range(12, 20))
    assert {name: tensor.shape for name, tensor in generator.tensors().items()} == sizes
    kept = sum(tensor.nbytes for name, tensor in generator.tensors().items() if name.endswith("latents"))
    assert kept == generator.cache_bytes
