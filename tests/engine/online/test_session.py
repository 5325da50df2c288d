"""Live sessions on small packs: what acts when, what an interruption takes back, files that bring a session back, shared weights."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from engine.errors import BadInputError, BadPackError, CharacterError
from engine.flow.guidance import GuidanceScales
from engine.loaded_pack import LoadedPack, load_pack
from engine.online.live import LiveConfig, LiveFrame
from engine.online.opening import open_session, restore_session
from engine.online.session import LiveSession
from engine.online.snapshots import OUTLINE_NAME, TENSORS_NAME
from engine.online.states import LiveState
from engine.packs import read_manifest
from tests.engine.online.small_online_pack import rewrite, write_small_online_pack, write_small_told_pack
from tests.engine.online.small_sessions import CHUNK, CONFIG, VOICE, in_short_windows, pictures, pull
from tests.engine.small_pack import small_character, write_small_motion_pack, write_small_pack

pytestmark = pytest.mark.usefixtures("one_thread")

WRITERS = {
    "online": write_small_online_pack,
    "online with motion": write_small_told_pack,
    "base": write_small_pack,
    "base with motion": write_small_motion_pack,
}


@pytest.fixture(scope="module", params=WRITERS)
def pack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    folder = tmp_path_factory.mktemp("packs") / "pack"
    return in_short_windows(load_pack(WRITERS[request.param](folder)))


def opened(pack: LoadedPack, config: LiveConfig = CONFIG) -> LiveSession:
    return open_session(small_character(), pack, config)


@pytest.mark.parametrize("prompt", ["smiles", ""])
def test_threads_make_the_same_film_as_none(pack: LoadedPack, prompt: str) -> None:
    """Stages of neighbouring chunks at once, or all in one worker, or in the caller: what is made does not depend on who works when."""
    films = []
    for split in ("caller", "pipeline", "one worker"):
        with opened(pack, replace(CONFIG, seed=3, prompt=prompt, split=split)) as session:
            films.append(pictures(pull(session, 5 * CHUNK)))
            assert session.report().repeated_frames == 0
    assert np.array_equal(films[0], films[1])
    assert np.array_equal(films[0], films[2])


def test_seeds_and_clock(pack: LoadedPack) -> None:
    films = []
    for seed in (1, 1, 2):
        with opened(pack, replace(CONFIG, seed=seed)) as session:
            frames = pull(session, 2 * CHUNK + 5)
            films.append(pictures(frames))
            assert [frame.index for frame in frames] == list(range(2 * CHUNK + 5))
            assert not any(frame.is_repeat for frame in frames)
            assert session.ahead_frames <= session.report().most_ahead_frames
    assert np.array_equal(films[0], films[1])
    assert not np.array_equal(films[0], films[2])


@pytest.mark.parametrize("what", ["speak", "listen", "prompt"])
def test_a_change_acts_in_the_first_chunk_that_begins_after_it(pack: LoadedPack, what: str) -> None:
    def film(changes: bool) -> tuple[NDArray[np.uint8], int]:
        with opened(pack) as session:
            before = pull(session, CHUNK + 3)
            first_new = session._conductor.next_frame
            if changes and what == "prompt":
                session.set_prompt("laughs out loud")
            elif changes:
                getattr(session, f"push_{what}")(VOICE)
            return pictures([*before, *pull(session, 3 * CHUNK)]), first_new

    plain, first_new = film(changes=False)
    changed, _ = film(changes=True)
    assert np.array_equal(plain[:first_new], changed[:first_new])
    assert not np.array_equal(plain[first_new : first_new + CHUNK], changed[first_new : first_new + CHUNK])


def test_packets_of_any_size_make_the_same_film(pack: LoadedPack) -> None:
    films = []
    for sizes in ((96_000,), (1, 999, 480, 7777)):
        with opened(pack) as session:
            start, turn = 0, 0
            while start < len(VOICE):
                session.push_speak(VOICE[start : start + sizes[turn % len(sizes)]])
                start, turn = start + sizes[turn % len(sizes)], turn + 1
            frames = pull(session, 3 * CHUNK)
            films.append(pictures(frames))
            heard_S = np.concatenate([frame.speak_S for frame in frames])
            assert np.array_equal(heard_S, VOICE[: len(heard_S)])
    assert np.array_equal(films[0], films[1])


def test_an_interruption_takes_back_what_was_not_shown_and_waiting_for_the_boundary_does_not(pack: LoadedPack) -> None:
    def film(interrupts: bool, withdraw: bool) -> tuple[list[LiveFrame], int]:
        with opened(pack) as session:
            session.push_speak(VOICE)
            before = pull(session, CHUNK + 2)  # in the middle of a latent
            for _ in range(30):
                session.work()  # works ahead as far as it may
            withdrawn = session.interrupt(withdraw) if interrupts else 0
            return [*before, *pull(session, 3 * CHUNK)], withdrawn

    plain, _ = film(interrupts=False, withdraw=False)
    waiting, none = film(interrupts=True, withdraw=False)
    acting, withdrawn = film(interrupts=True, withdraw=True)
    assert none == 0
    assert withdrawn > 0
    cut = CHUNK + 4  # the latent that was being shown stays whole
    differs = [
        int(np.flatnonzero((pictures(plain) != pictures(frames)).any(axis=(1, 2, 3)))[0])
        for frames in (acting, waiting)
    ]
    assert differs[0] == cut
    assert differs[1] > cut
    for frames in (acting, waiting):
        assert all(np.any(frame.speak_S) for frame in frames[: CHUNK + 2])
        assert not any(np.any(frame.speak_S) for frame in frames[CHUNK + 2 :])  # the sound stops at once either way
        assert [frame.index for frame in frames] == list(range(len(frames)))
    latents = [frame.chunk for frame in acting]
    assert latents == sorted(latents)


def test_nothing_is_taken_back_for_what_changes_nothing(pack: LoadedPack) -> None:
    """Whoever interrupts at every sound of the partner, or sends the same direction again and again, does not starve the picture."""

    def film(disturbs: bool) -> NDArray[np.uint8]:
        with opened(pack, replace(CONFIG, prompt="smiles")) as session:
            session.push_speak(VOICE[:8000])
            frames = pull(session, CHUNK + 2)
            for _ in range(3 * CHUNK if disturbs else 0):
                session.work()
                assert session.interrupt() == 0
                session.set_prompt(" smiles ", withdraw=True)
            frames += pull(session, 3 * CHUNK)
            assert session.report().withdrawn_frames == 0
            return pictures(frames)

    assert np.array_equal(film(disturbs=False), film(disturbs=True))


def test_reactions_are_those_of_sound_that_has_its_turn(pack: LoadedPack) -> None:
    with opened(pack) as session:
        pull(session, 1)
        for start in range(0, len(VOICE), 32_000):
            session.push_speak(VOICE[start : start + 32_000])  # the rest of a long utterance waits behind its beginning
        session.push_listen(VOICE[:480])
        pull(session, 2 * CHUNK)
        assert len(session._conductor.figures.reactions_s) == 2


def test_the_states_of_a_conversation(pack: LoadedPack) -> None:
    with opened(pack) as session:
        assert session.state is LiveState.WARM_UP
        pull(session, CHUNK)
        assert session.state is LiveState.IDLE
        session.push_listen(VOICE[:24_000])
        states = [frame.state for frame in pull(session, 3 * CHUNK)]
        assert LiveState.LISTENING in states
        session.push_speak(VOICE[:24_000])
        states = [frame.state for frame in pull(session, 8 * CHUNK)]
        assert LiveState.RESPONDING in states
        assert states[-1] is LiveState.IDLE


def test_idle_is_alive_and_follows_no_loop(pack: LoadedPack) -> None:
    config = LiveConfig(split="caller", seed=5)
    with opened(pack, config) as session:
        film = pictures(pull(session, 10 * CHUNK)).astype(int)
        prompts = {report.prompt for report in session.chunk_reports()}
    assert len(prompts) > 1
    still = np.abs(np.diff(film, axis=0)).max(axis=(1, 2, 3)) == 0
    assert still.mean() < 0.5
    chunks = film.reshape(10, CHUNK, -1)
    assert all(np.abs(chunks[a] - chunks[b]).max() > 0 for a in range(10) for b in range(a))


@pytest.mark.parametrize("acts", ["goes on", "is interrupted", "had been interrupted"])
def test_a_session_from_a_file_goes_on_to_the_same_frames(pack: LoadedPack, acts: str, tmp_path: Path) -> None:
    with opened(pack, replace(CONFIG, seed=4, prompt="smiles")) as session:
        session.push_speak(VOICE)
        session.push_listen(VOICE[::-1].copy())
        pull(session, 3 * CHUNK + 6)
        if acts == "had been interrupted":
            session.interrupt()
            pull(session, 1)
        session.snapshot(tmp_path / "kept")
        with restore_session(tmp_path / "kept", small_character(), pack, split="caller") as restored:
            films = []
            for one in (session, restored):
                if acts == "is interrupted":
                    one.interrupt()
                one.push_speak(VOICE[:5000])
                films.append(pull(one, 4 * CHUNK))
    for ours, theirs in zip(films[0], films[1], strict=True):
        assert ours.index == theirs.index
        assert np.array_equal(ours.picture_HWC, theirs.picture_HWC)
        assert np.array_equal(ours.speak_S, theirs.speak_S)
        assert ours.state is theirs.state


def test_a_paused_session_is_kept_paused(pack: LoadedPack, tmp_path: Path) -> None:
    with opened(pack) as session:
        pull(session, 5)
        session.pause()
        assert session.pull() is None
        assert session.pull_now() is None
        session.snapshot(tmp_path / "kept")
        with pytest.raises(BadInputError, match="is there already"):
            session.snapshot(tmp_path / "kept")
    with restore_session(tmp_path / "kept", small_character(), pack) as restored:
        assert restored.pull() is None
        restored.resume()
        frame = restored.pull(timeout_s=60.0)
        assert frame is not None
        assert frame.index == 5


def test_files_that_are_no_session_of_this_character_and_pack_are_refused_in_one_line(
    pack: LoadedPack, tmp_path: Path
) -> None:
    with opened(pack) as session:
        pull(session, CHUNK + 1)
        session.snapshot(tmp_path / "kept")
    with pytest.raises(BadInputError, match="no session can be read"):
        restore_session(tmp_path / "nowhere", small_character(), pack)
    with pytest.raises(BadInputError, match="another character"):
        restore_session(tmp_path / "kept", replace(small_character(), name="Somebody"), pack)
    with pytest.raises(BadInputError, match="other settings"):
        settings = {**pack.manifest.settings, "base": {**pack.manifest.settings["base"], "shift": 4.0}}
        changed = replace(pack, manifest=replace(pack.manifest, settings=settings))
        restore_session(tmp_path / "kept", small_character(), changed)
    outline_path, tensors_path = tmp_path / "kept" / OUTLINE_NAME, tmp_path / "kept" / TENSORS_NAME
    outline, tensors = json.loads(outline_path.read_text()), load_file(tensors_path)
    for broken in (
        {"format": 9},
        {"counters": outline["counters"] | {"clock": 10**6}},
        {"counters": outline["counters"] | {"__class__": 1}},
        {"ready": outline["ready"] * 50},
        {"speak": {"base": -5, "taken": 0}},
        {"listen": {"base": 0, "taken": 10**15}},
        {"prompt": "x" * 5000},
        {"prompt_first_frame": "soon"},
        {"prompt_first_frame": -7},
        {"activity": {"is_warm": True, "frames_since_speak": -9, "frames_since_listen": 0}},
        {"decoder": {"now": {"fields": {}}, "copies": []}},
        {"config": outline["config"] | {"seed": -1}},
        {"config": []},
        {"identity": 3},
    ):
        outline_path.write_text(json.dumps(outline | broken))
        with pytest.raises(BadInputError) as told:
            restore_session(tmp_path / "kept", small_character(), pack)
        assert "\n" not in str(told.value)
    outline_path.write_text(json.dumps(outline))
    for name in ("pictures", "decoder.tail.latents", "speak"):
        save_file({other: tensor for other, tensor in tensors.items() if other != name}, tensors_path)
        with pytest.raises(BadInputError):
            restore_session(tmp_path / "kept", small_character(), pack)
    states = [name for name in tensors if name.startswith("decoder.state")]
    assert states
    save_file({name: x[..., :1].contiguous() if name in states else x for name, x in tensors.items()}, tensors_path)
    with pytest.raises(BadInputError, match="does not fit this codec"):
        restore_session(tmp_path / "kept", small_character(), pack)
    tensors_path.write_bytes(b"not tensors")
    with pytest.raises(BadInputError, match="damaged"):
        restore_session(tmp_path / "kept", small_character(), pack)


def test_sessions_share_weights_and_nothing_else(pack: LoadedPack) -> None:
    with opened(pack, replace(CONFIG, seed=1)) as alone:
        wanted = pictures(pull(alone, 3 * CHUNK))
    with opened(pack, replace(CONFIG, seed=1)) as one, opened(pack, replace(CONFIG, seed=2)) as other:
        films: list[list[LiveFrame]] = [[], []]
        for _ in range(3 * CHUNK):
            films[0] += pull(one, 1)
            other.push_listen(VOICE[:777])
            films[1] += pull(other, 1)
    assert np.array_equal(pictures(films[0]), wanted)
    assert not np.array_equal(pictures(films[0]), pictures(films[1]))


def test_a_player_that_is_too_fast_sees_repeats_with_their_own_sound_and_no_backlog(pack: LoadedPack) -> None:
    with opened(pack) as session:
        session.push_speak(VOICE)
        first = session.pull()
        frames = [session.pull_now() for _ in range(40)]
        assert first is not None
        assert all(frame is not None and frame.is_repeat for frame in frames[CHUNK:])
        heard_S = np.concatenate([first.speak_S, *(frame.speak_S for frame in frames if frame is not None)])
        assert np.array_equal(heard_S, VOICE[:41_000])
        after = pull(session, 2 * CHUNK)
        assert [frame.index for frame in after] == list(range(41, 41 + 2 * CHUNK))
        assert any(not frame.is_repeat for frame in after)
        assert session.report().repeated_frames >= 28


def test_what_fails_in_a_stage_is_told_to_whoever_pulls(pack: LoadedPack, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(pack, replace(CONFIG, split="pipeline")) as session:
        pull(session, 1)
        monkeypatch.setattr(session._stages.decoder, "decode", lambda *_: 1 / 0)
        with pytest.raises(RuntimeError, match="stage of the session failed"):
            pull(session, 20 * CHUNK)
    with pytest.raises(ValueError, match="closed"):
        session.push_speak(VOICE)


def test_what_fails_before_a_chunk_begins_is_told_to_whoever_pulls(
    pack: LoadedPack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(pack, replace(CONFIG, split="pipeline")) as session:
        pull(session, 1)
        monkeypatch.setattr(session._conductor, "begin_chunk", lambda *_: 1 / 0)
        with pytest.raises(RuntimeError, match="failed"):
            pull(session, 20 * CHUNK)


def test_the_timeline_of_a_run_is_written_for_perfetto(pack: LoadedPack, tmp_path: Path) -> None:
    with opened(pack, replace(CONFIG, split="pipeline")) as session:
        pull(session, 3 * CHUNK)
        session.trace.write(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    names = {event["name"] for event in events if event["ph"] == "X"}
    assert names - {"plan"} == {"encode", "generator", "vae"} | ({"refiner"} if pack.online else set())
    assert ("plan" in names) == (pack.motion is not None)
    rows = {event["args"]["name"]: event["tid"] for event in events if event["ph"] == "M"}
    assert {"generator", "vae and encoders"} <= set(rows)
    assert all(event["dur"] >= 0 for event in events if event["ph"] == "X")


def test_bad_input_is_refused_and_loses_nothing(pack: LoadedPack) -> None:
    nobody = replace(small_character(), references=())
    with pytest.raises(CharacterError, match="no global reference"):
        open_session(nobody, pack, CONFIG)
    with pytest.raises(BadInputError, match="choose"):
        opened(pack, replace(CONFIG, chunk_latents=9))
    with pytest.raises(BadInputError, match="too long"):
        opened(pack, replace(CONFIG, prompt="x" * 5000))
    with opened(pack) as session:
        session.push_speak(VOICE[:1000])
        for bad in (VOICE[None], np.full(10, np.nan, np.float32), np.zeros(10, np.int16)):
            with pytest.raises(BadInputError, match="sound must be pushed"):
                session.push_speak(bad)
        with pytest.raises(BadInputError, match="sampling rate"):
            session.push_listen(VOICE, rate_hz=5)
        with pytest.raises(BadInputError, match="waiting"):
            session.push_speak(np.zeros(24_000 * 130, np.float32))
        with pytest.raises(BadInputError, match="too long"):
            session.set_prompt("x" * 5000)
        assert np.array_equal(pull(session, 1)[0].speak_S, VOICE[:1000])


def test_the_lighter_setting_holds_for_every_chunk_and_knows_where_it_ends(pack: LoadedPack) -> None:
    films = []
    pack = replace(pack, base=replace(pack.base, guidance=GuidanceScales(text=3.0)))
    for effort in (0, 1, 9):
        config = replace(CONFIG, effort=effort, prompt="smiles", can_degrade=effort != 1)
        with opened(pack, config) as session:
            films.append(pictures(pull(session, 3 * CHUNK)))
            efforts = {report.effort for report in session.chunk_reports()}
            assert efforts == {session._conductor.layout.efforts[min(effort, 1)]}
    assert not np.array_equal(films[0], films[1])
    assert np.array_equal(films[1], films[2])


def test_half_an_online_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadPackError, match="has no refiner"):
        load_pack(write_small_online_pack(tmp_path / "half", roles=("backbone",)))
    folder = write_small_online_pack(tmp_path / "reaching")
    manifest = read_manifest(folder)
    settings = {**manifest.settings, "online": {**manifest.settings["online"], "sink_chunks": 9}}
    with pytest.raises(BadPackError, match=r"over the references, which stand at \d+; shorten the history, or train"):
        load_pack(rewrite(folder, replace(manifest, settings=settings)))
