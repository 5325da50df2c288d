"""A plan runs its stages in order, keeps what got better and nothing else, and goes on where it was killed."""

import argparse
import functools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from engine.errors import BadInputError
from tests.training.plans.small_plan import SMALL_PLAN, WEIGHTS, Ticks
from training import cli
from training.plans import stage_work
from training.plans.conductor import PlanRun, judged, run_stages
from training.plans.plan import Measure, TrainedStage
from training.plans.records import Outcome, StageRecord, table
from training.plans.tiny import FROM_NOTHING, TINY
from training.recipes.parts import MOTION_FILE
from training.time_budget import TimeBudget, spent_in

MINUTES = 0.1


@pytest.fixture(scope="module", autouse=True)
def ticking() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stage_work, "TimeBudget", functools.partial(TimeBudget, now_s=Ticks()))
        yield


def plan_run(output: Path, **changes: Any) -> PlanRun:
    run = PlanRun(plan=SMALL_PLAN, output=output, minutes=MINUTES, parts=output / "given")
    return replace(run, **changes)


def run_all(output: Path, **changes: Any) -> list[StageRecord]:
    return run_stages(plan_run(output, **changes), lambda record: None)


@pytest.fixture(scope="module")
def finished(ticking: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[StageRecord]]:
    folder = tmp_path_factory.mktemp("plan")
    return folder, run_all(folder)


def test_what_got_better_is_taken_on_and_nothing_else(finished: tuple[Path, list[StageRecord]]) -> None:
    folder, records = finished
    numbers, first, worse, idle, again = records
    assert numbers.accepted is None
    assert numbers.windows == 3
    assert first.accepted is True
    assert first.before is not None
    assert first.after is not None
    assert first.after < 0.8 * first.before
    assert worse.accepted is False
    assert "does not beat" in worse.verdict
    assert worse.before == pytest.approx(first.after), "a stage begins from what was taken on, on the same samples"
    assert again.before == pytest.approx(first.after), "and never from what was rejected"
    assert idle.accepted is False
    assert idle.verdict == "rejected: 3 scenes are too few"
    last = folder / "stages" / ("05-again" if again.accepted else "02-first")
    kept, made = load_file(folder / "parts" / WEIGHTS), load_file(last / WEIGHTS)
    assert all(kept[name].equal(made[name]) for name in made)


def test_time_is_shared_and_kept(finished: tuple[Path, list[StageRecord]]) -> None:
    _, records = finished
    assert all(record.steps > 0 for record in records if record.accepted is not None and record.stage != "idle")
    assert sum(record.minutes for record in records) == pytest.approx(MINUTES, rel=0.1)
    lines = table(records).splitlines()
    assert lines[0].split() == ["stage", "measure", "before", "after", "steps", "windows", "minutes", "verdict"]
    assert len(lines) == 6


def test_a_finished_plan_is_not_run_again(finished: tuple[Path, list[StageRecord]]) -> None:
    folder, records = finished
    seen: list[StageRecord] = []
    assert run_stages(plan_run(folder), seen.append) == records
    assert not seen


class Killed(Exception):
    """Stands for a kill."""


def test_a_killed_stage_goes_on_from_its_checkpoint_with_the_time_that_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killing(stage: str, *, as_json: bool) -> Any:
        def tell(record: dict[str, Any]) -> None:
            if stage == "worse" and record["step"] >= 5:
                raise Killed

        return tell

    whole = replace(SMALL_PLAN, stages=SMALL_PLAN.stages[:3])
    with monkeypatch.context() as patched:
        patched.setattr(stage_work, "_reporter", killing)
        with pytest.raises(Killed):
            run_all(tmp_path, plan=whole, minutes=0.2)
    first, stage = tmp_path / "stages" / "02-first" / "record.json", tmp_path / "stages" / "03-worse"
    finished_ns, spent_s = first.stat().st_mtime_ns, spent_in(stage / "clock.json")
    before = json.loads((stage / "before.json").read_text())
    assert spent_s > 0
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(stage_work, "_reporter", lambda stage, *, as_json: seen.append)
    records = run_all(tmp_path, plan=whole, minutes=0.2)
    assert first.stat().st_mtime_ns == finished_ns, "a finished stage is kept"
    assert min(record["step"] for record in seen if "loss" in record) == 5, "its last checkpoint was at step 4"
    assert 60 * records[2].minutes > spent_s, "the clock counts on"
    assert records[2].all_before == before, "where it began is measured once"


def test_no_figure_is_beaten_by_any_and_beats_none() -> None:
    stage = SMALL_PLAN.stages[1]
    assert isinstance(stage, TrainedStage)
    assert judged(stage, Outcome(after={"held_out_error": 9.0})).accepted
    assert not judged(stage, Outcome(before={"held_out_error": 9.0})).accepted
    assert not judged(stage, Outcome(before={"held_out_error": 9.0}, after={"held_out_error": 9.0})).accepted
    collapsed = judged(stage, Outcome(before={"held_out_error": 9.0}, after={"held_out_error": 1.0}, problem="stills"))
    assert (collapsed.accepted, collapsed.verdict) == (False, "rejected: stills")
    coin = Measure(name="preferred", better="higher", least=0.5)
    assert not coin.is_beaten(0.0, 0.4)
    assert coin.is_beaten(0.0, 0.6)


def test_a_folder_is_for_one_plan(finished: tuple[Path, list[StageRecord]], tmp_path: Path) -> None:
    folder, _ = finished
    with pytest.raises(BadInputError, match=r"was begun with --minutes 0.1 \(now 7\)"):
        run_all(folder, minutes=7.0)
    with pytest.raises(BadInputError, match=r"codec\.safetensors is missing"):
        run_all(tmp_path / "other", plan=TINY)
    with pytest.raises(BadInputError, match="a plan needs some time"):
        run_all(tmp_path / "other", minutes=0.0)
    with pytest.raises(BadInputError, match="is no folder"):
        run_all(tmp_path / "another", start_from=tmp_path / "nowhere")


def stage_named(name: str) -> TrainedStage:
    stage = next(stage for stage in TINY.stages if stage.name == name)
    assert isinstance(stage, TrainedStage)
    return stage


def test_the_plan_of_the_small_pack_is_whole() -> None:
    names = [stage.name for stage in TINY.stages]
    assert (
        names.index("motion")
        < names.index("base")
        < names.index("dpo")
        < names.index("teacher-films")
        < names.index("ode")
    )
    assert names[-4:] == ["ode", "off-policy", "on-policy", "refiner"]
    assert names.index("causal") < names.index("teacher-films")
    shares = {stage.name: stage.share for stage in TINY.stages}
    assert 0.05 < shares["motion"] / (shares["base"] + shares["base-pictures"]) < 0.2
    assert stage_named("motion").measure == Measure(name="held_out_velocity", better="lower")
    assert stage_named("dpo").gives == stage_named("motion").gives == (MOTION_FILE,)
    encoders = [stage.name for stage in FROM_NOTHING.stages].index("text-encoder")
    assert encoders < [stage.name for stage in FROM_NOTHING.stages].index("motion")
    given = {name for stage in FROM_NOTHING.stages if isinstance(stage, TrainedStage) for name in stage.gives}
    assert set(TINY.given) <= given, "from nothing, every component is trained"
    assert [stage.name for stage in TINY.without(("clips",)).stages] == names[1:]
    left_s = 3600.0
    for index in range(len(TINY.stages)):
        left_s -= TINY.allotted_s(index, left_s)
    assert left_s == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["tiny", "num_steps=3"], "takes no settings"),
        (["tiny", "--minutes", "0"], "a plan needs some time"),
        (["tiny", "--minutes", "nan"], "a plan needs some time"),
        (["tiny", "--anew", "--clips", "here"], "leave one away"),
        (["tiny-base", "--minutes", "3"], "belong to plans"),
    ],
)
def test_what_cannot_be_done_is_one_line(words: list[str], complaint: str, tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    with pytest.raises(BadInputError, match=complaint) as caught:
        cli.run(parser.parse_args([*words, "-o", str(tmp_path / "out")]))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_time_that_is_spent(tmp_path: Path) -> None:
    now_s = [100.0]
    budget = TimeBudget(allotted_s=10.0, path=tmp_path / "clock.json", decay_share=0.5, now_s=lambda: now_s[0])
    now_s[0] += 4
    with budget.uncounted():
        now_s[0] += 50
    assert (budget.spent_s, budget.left_s, budget.progress) == (4.0, 6.0, 0.4)
    budget.keep()
    again = TimeBudget(allotted_s=10.0, path=tmp_path / "clock.json", now_s=lambda: now_s[0])
    now_s[0] += 100
    assert (again.spent_s, again.left_s, again.progress) == (104.0, 0.0, 1.0)
    rates = [budget.learning_rate_factor(progress, 1, 1000) for progress in (0.0, 0.05, 0.3, 0.75, 1.0)]
    assert rates == pytest.approx([0.002, 0.5, 1.0, 0.5, 0.0])
    (tmp_path / "clock.json").write_text("[]")
    with pytest.raises(BadInputError, match="does not tell the time"):
        TimeBudget(allotted_s=1.0, path=tmp_path / "clock.json")
