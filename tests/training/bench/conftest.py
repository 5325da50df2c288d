"""What the benchmark's tests share: a few voices, and a run of the quick set in this process."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.training.bench.known_films import FAMILY, FRAMES, TINY, ChangedFilms, TruthFilms
from training.actor.voices import VoicePool
from training.bench.judge import Judge
from training.bench.quick import Crew, QuickRun, run_quick
from training.bench.regressor import load_regressor


@pytest.fixture(scope="session")
def voices() -> VoicePool:
    """A few voices of the one engine that every machine has."""
    found = tuple(voice for voice in VoicePool.discover().train if voice.engine == "espeak")
    return VoicePool(train=found[:4], held_out=(), held_out_engine=None)


@pytest.fixture(scope="session")
def truth_films(voices: VoicePool) -> TruthFilms:
    return TruthFilms(voices=voices)


@pytest.fixture(scope="session")
def judged(voices: VoicePool) -> Callable[[TruthFilms | ChangedFilms], QuickRun]:
    """Runs the quick set on films of one kind, in this process."""
    regressor = load_regressor()

    def run(films: TruthFilms | ChangedFilms) -> QuickRun:
        judge = Judge(
            regressor=regressor,
            maker=films,
            round_trip=None,
            voices=voices,
            frames=FRAMES,
            directed_frames=TINY.directed_frames,
            family_size=FAMILY,
        )
        with ThreadPoolExecutor(1) as executor:
            crew = Crew(
                executor=executor, num_at_once=1, judge_actor=judge.judge_actor, read_request=judge.read_request
            )
            return run_quick(crew, TINY, lambda line: None)

    return run
