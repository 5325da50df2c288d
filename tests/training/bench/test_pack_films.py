"""A whole pack with random weights goes through the same judge as any other, and is found to be bad."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from engine import PerformJob, load_pack, perform
from tests.engine.small_pack import SIZE_PX, large_character, with_film_px, write_small_pack, write_small_retouch_pack
from training.actor.voices import VoicePool
from training.bench.cases import FilmRequest
from training.bench.cli import quick_text
from training.bench.judge import Judge
from training.bench.pack_films import PackFilms, codec_round_trip
from training.bench.quick import Crew, QuickConfig, run_quick
from training.bench.reading import smaller
from training.bench.regressor import load_regressor
from training.bench.report import write_report
from training.bench.siblings import FamilySize

NAMES_WITH_CEILING = {"mouth_r", "nod_f1", "closures_seen", "directions_hit"}


def test_random_weights_run_through_and_reach_nothing(tmp_path: Path, voices: VoicePool) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    pack = load_pack(write_small_pack(folder))
    config = QuickConfig(num_actors=2, speak_frames=72, listen_frames=60, directed_frames=60, num_counterfactuals=1)
    judge = Judge(
        regressor=load_regressor(),
        maker=PackFilms(pack=pack),
        round_trip=partial(codec_round_trip, pack),
        voices=voices,
        frames={"speak": config.speak_frames, "listen": config.listen_frames},
        directed_frames=config.directed_frames,
        family_size=FamilySize(num_siblings=3, num_moments=1),
    )
    with ThreadPoolExecutor(1) as executor:
        crew = Crew(executor=executor, num_at_once=1, judge_actor=judge.judge_actor, read_request=judge.read_request)
        run = run_quick(crew, config, lambda line: None)
    names = [figure.name for figure in run.figures]
    reached = {figure.name: figure.is_reached for figure in run.figures}
    assert not reached["mouth_r"]
    assert not reached["psnr_db"]
    seen, by_chance = (run.figures[names.index(f"closures_{name}")].estimate.value for name in ("seen", "by_chance"))
    assert seen < by_chance + 0.2, "lips that flutter close at any time"
    assert not reached["directions_hit"]
    assert all(figure.ceiling is not None for figure in run.figures if figure.name in NAMES_WITH_CEILING)
    assert "mouth opening" in quick_text(run, folder, "0" * 64)
    write_report(tmp_path / "report.json", run.as_table())
    assert (tmp_path / "report.json").stat().st_size > 1000


def test_films_that_are_shown_larger_are_read_at_the_size_of_the_codec(tmp_path: Path) -> None:
    """Each pixel that is read is the mean of those that are shown."""
    pack = load_pack(with_film_px(write_small_retouch_pack(tmp_path), 2 * SIZE_PX))
    maker, speak_S = PackFilms(pack=pack), 0.3 * np.random.default_rng(0).standard_normal(20_000).astype(np.float32)
    assert (maker.size_px, maker.film_px) == (SIZE_PX, 2 * SIZE_PX)
    request = FilmRequest(
        character=large_character(), speak_S=speak_S, listen_S=None, prompts=(), num_frames=20, seed=7
    )
    job = PerformJob(character=large_character(), num_frames=20, speak_S=speak_S, seed=7)
    shown_THWC = np.concatenate([piece.frames_THWC for piece in perform(pack, job)])
    means_THWC = shown_THWC.reshape(20, SIZE_PX, 2, SIZE_PX, 2, 3).mean(axis=(2, 4))
    assert np.abs(maker.film(request) - means_THWC).max() <= 1
    assert np.array_equal(smaller(shown_THWC, 2 * SIZE_PX), shown_THWC)


def test_a_round_trip_keeps_the_number_of_frames_for_any_length(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    pack = load_pack(write_small_pack(folder))
    film_THWC = np.random.default_rng(0).integers(0, 255, (29, pack.size_px, pack.size_px, 3), dtype=np.uint8)
    assert codec_round_trip(pack, film_THWC).shape == film_THWC.shape
