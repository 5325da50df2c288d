"""Performing on a graphics card, held to a pretended one: nothing is left on the processor, and the film is the processor's."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine import filled_components
from engine.base.job import PerformJob, PromptSpan
from engine.base.performer import perform
from engine.base.window_store import WindowStore
from engine.devices import DEVICE_VARIABLE, chosen_device, holds
from engine.errors import BadInputError
from engine.flow.guidance import GuidanceScales
from engine.loaded_pack import LoadedPack, load_pack
from engine.online.live import LiveConfig
from engine.online.opening import open_session, restore_session
from engine.precision import FORMAT_VARIABLE, number_format
from tests.engine.online.small_online_pack import write_small_online_pack
from tests.engine.pretended_device import pretended
from tests.engine.small_pack import small_character, write_small_pack

ELSEWHERE = ("cuda:0", "mps:0")
VOICE_S = (0.3 * np.random.default_rng(0).standard_normal(30_000)).astype(np.float32)


@pytest.fixture(scope="module", params=["small", "online"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    write = {"small": write_small_pack, "online": write_small_online_pack}[request.param]
    return write(tmp_path_factory.mktemp("packs") / request.param)


@pytest.fixture
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FORMAT_VARIABLE, "float32")


def film(pack: LoadedPack, keep: WindowStore | None = None, reuse: WindowStore | None = None) -> NDArray[np.uint8]:
    """Two windows with guidance, both sounds and a direction: every branch of the way."""
    job = PerformJob(
        character=small_character(), num_frames=26, speak_S=VOICE_S, listen_S=VOICE_S[::-1].copy(), seed=3,
        prompts=(PromptSpan(start_frame=0, end_frame=26, text="smiles"),),
        guidance=GuidanceScales(text=2.0, speak=1.5, listen=1.0),
    )  # fmt: skip
    pack = replace(pack, base=replace(pack.base, history_keep=0.8, history_error=0.1, guidance_rescale=0.5))
    return np.concatenate([piece.frames_THWC for piece in perform(pack, job, keep=keep, reuse=reuse)])


def live(pack: LoadedPack, num_frames: int = 28, effort: int = 0, snapshot: Path | None = None) -> NDArray[np.uint8]:
    """Frames of a session in which all is said and heard from the beginning."""
    config = LiveConfig(seed=5, split="caller", prompt="smiles", effort=effort)
    with open_session(small_character(), pack, config) as session:
        session.push_speak(VOICE_S)
        session.push_listen(VOICE_S[::-1].copy())
        frames = [session.pull() for _ in range(num_frames)]
        if snapshot is not None:
            session.snapshot(snapshot)
    return np.stack([frame.picture_HWC for frame in frames if frame is not None])


def largest_difference(first_THWC: NDArray[np.uint8], second_THWC: NDArray[np.uint8]) -> int:
    assert first_THWC.shape == second_THWC.shape and first_THWC.std() > 0
    return int(np.abs(first_THWC.astype(int) - second_THWC).max())


def components(pack: LoadedPack) -> Iterator[torch.Tensor]:
    models = [pack.codec, pack.transformer, pack.speak_encoder, pack.listen_encoder, pack.text_encoder]
    models += [pack.online.backbone, pack.online.refiner] if pack.online else []
    for model in models:
        assert isinstance(model, torch.nn.Module)
        yield from (*model.parameters(), *model.buffers())


@pytest.mark.parametrize("name", ELSEWHERE)
def test_the_pretended_device_is_as_strict_as_a_real_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pretended(name, monkeypatch) as waits:
        there_BD, here_BD = torch.ones(2, 3, device=name), torch.ones(2, 3)
        assert str((there_BD @ there_BD.T).device) == name
        with pytest.raises(RuntimeError, match="expected all tensors"):
            there_BD + here_BD
        with pytest.raises((RuntimeError, TypeError)):
            there_BD.numpy()
        assert not waits
        assert float(there_BD.sum()) == 6.0 and waits == {"__float__": 1}
        assert there_BD.cpu().numpy().sum() == 6.0
        if name == "mps:0":
            with pytest.raises(TypeError, match="float64"):
                there_BD.double()


@pytest.mark.parametrize("name", ELSEWHERE)
@pytest.mark.usefixtures("float32")
def test_a_film_made_there_is_the_film_made_here(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here_THWC = film(load_pack(folder, device="cpu"))
    with pretended(name, monkeypatch):
        pack = load_pack(folder, device=name.split(":")[0])
        assert str(pack.device) == name
        assert {str(tensor.device) for tensor in components(pack)} == {name}
        there_THWC = film(pack)
    assert largest_difference(here_THWC, there_THWC) <= 1


@pytest.mark.parametrize("name", ELSEWHERE)
@pytest.mark.parametrize("effort", [0, 1])
@pytest.mark.usefixtures("float32")
def test_a_session_there_is_the_session_here(
    name: str, effort: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here_THWC = live(load_pack(folder, device="cpu"), effort=effort)
    with pretended(name, monkeypatch):
        there_THWC = live(load_pack(folder, device=name.split(":")[0]), effort=effort)
    assert largest_difference(here_THWC, there_THWC) <= 1


@pytest.mark.parametrize("name", ["cuda:0"])
def test_there_it_computes_in_bfloat16(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FORMAT_VARIABLE, raising=False)
    with pretended(name, monkeypatch):
        pack = load_pack(folder, device=name)
        assert number_format(pack.device) == "cuda bfloat16"
        film_THWC, live_THWC = film(pack), live(pack)
    monkeypatch.setenv(FORMAT_VARIABLE, "float32")
    pack = load_pack(folder, device="cpu")
    for there_THWC, exact_THWC in ((film_THWC, film(pack)), (live_THWC, live(pack))):
        difference = np.abs(there_THWC.astype(int) - exact_THWC)
        assert 0 < difference.mean() < 4  # rounded otherwise, and the same pictures


@pytest.mark.usefixtures("float32")
def test_a_session_goes_on_on_another_device(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = load_pack(folder, device="cpu")
    whole_THWC = live(here, num_frames=44)
    with pretended("cuda:0", monkeypatch):
        there = load_pack(folder, device="cuda")
        live(there, num_frames=28, snapshot=tmp_path / "from_there")
    live(here, num_frames=28, snapshot=tmp_path / "from_here")

    def rest(pack: LoadedPack, name: str) -> NDArray[np.uint8]:
        with restore_session(tmp_path / name, small_character(), pack, split="caller") as session:
            frames = [session.pull() for _ in range(16)]
        return np.stack([frame.picture_HWC for frame in frames if frame is not None])

    assert largest_difference(rest(here, "from_there"), whole_THWC[28:]) <= 1
    with pretended("cuda:0", monkeypatch):
        assert largest_difference(rest(there, "from_here"), whole_THWC[28:]) <= 1


def test_a_session_goes_on_in_another_number_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    pack = load_pack(folder, device="cpu")
    with pretended("cuda:0", monkeypatch):
        live(load_pack(folder, device="cuda"), num_frames=28, snapshot=tmp_path / "bfloat16")
    monkeypatch.setenv(FORMAT_VARIABLE, "float32")
    with restore_session(tmp_path / "bfloat16", small_character(), pack, split="caller") as session:
        frame = session.pull()
    assert frame is not None and frame.picture_HWC.std() > 0


@pytest.mark.usefixtures("float32")
def test_finished_windows_are_kept_and_found_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = WindowStore(tmp_path / "windows")
    with pretended("cuda:0", monkeypatch):
        pack = load_pack(folder, device="cuda")
        made_THWC = film(pack, keep=store)
        with monkeypatch.context() as patch:
            patch.setattr(type(pack.transformer), "forward", None)  # it would be asked for a window that is not found
            assert np.array_equal(film(pack, reuse=store), made_THWC)


@pytest.mark.usefixtures("float32")
@pytest.mark.parametrize("memory_bytes", [2**34, 0])
def test_a_large_transformer_lies_on_the_card_or_comes_to_it_block_by_block(
    memory_bytes: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here_THWC = film(load_pack(folder, device="cpu"))
    monkeypatch.setattr(filled_components.filled_component, "__defaults__", (1000, None))
    with pretended("cuda:0", monkeypatch, memory_bytes):
        assert holds(chosen_device("cuda"), 2000) == bool(memory_bytes)
        pack = load_pack(folder, device="cuda")
        in_memory = {str(parameter.device) for parameter in pack.transformer.parameters()}
        assert in_memory == ({"cuda:0"} if memory_bytes else {"cuda:0", "meta"})
        there_THWC = film(pack)
    assert largest_difference(here_THWC, there_THWC) <= 1


def test_only_a_few_numbers_are_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each makes the processor wait for the card: six a step, for the branches of guidance and the global reference."""
    with pretended("cuda:0", monkeypatch) as waits:
        pack = load_pack(folder, device="cuda")
        waits.clear()
        film(pack)
        num_steps = 2 * pack.base.num_steps  # of two windows
        assert waits["equal"] == num_steps
        assert waits["__bool__"] <= (2 + 3) * num_steps + 2
        assert waits.keys() == {"equal", "__bool__"}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("cuda", "there is no cuda device here; choose cpu"),
        ("cuda:1", "there is no cuda device here"),
        ("mps", "there is no mps device here"),
        ("gpu", "there is no device called 'gpu'; choose auto, cpu, cuda"),
        ("cpu:0", "no device called"),
        ("cuda:-1", "no device called"),
        ("cuda:²", "no device called"),
    ],
)
def test_a_device_that_is_not_here_is_one_line(asked: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # So that the line is asked for on a machine that has such a device, too.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(BadInputError, match=told):
        load_pack("lpm-tiny", device=asked)
    monkeypatch.setenv(DEVICE_VARIABLE, asked)
    with pytest.raises(BadInputError, match=DEVICE_VARIABLE):
        chosen_device()
    assert chosen_device("cpu") == torch.device("cpu")


def test_the_best_device_is_chosen_unless_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DEVICE_VARIABLE, raising=False)
    for name, best in (("cuda:0", "cuda:0"), ("mps:0", "cpu")):
        with pretended(name, monkeypatch):
            assert str(chosen_device()) == str(chosen_device("auto")) == best
            with monkeypatch.context() as patch:
                patch.setenv(DEVICE_VARIABLE, "cpu")
                assert str(chosen_device()) == "cpu"
                assert str(chosen_device("auto")) == best
    with pretended("cuda:0", monkeypatch):
        assert str(chosen_device("cuda")) == "cuda:0"
        with pytest.raises(BadInputError, match="there is no cuda:1 here; choose cuda:0 or cpu"):
            chosen_device("cuda:1")
