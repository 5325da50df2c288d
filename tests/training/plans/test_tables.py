"""The tables of results: every row has the weights that it names, and pairs differ in one thing."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from engine.errors import BadInputError
from tests.training.dpo.small_plans import small_maker, small_motion
from tests.training.tasks.small_base import clips_of_noise
from training.bench.cli import chosen_config
from training.data.windows import ClipFeatures
from training.dpo.candidates import CandidateMaker
from training.plans import preference_table, results_cli, stage_table
from training.plans.ablations import ABLATIONS, PAIRS, compared
from training.plans.plan import TrainedStage
from training.plans.preference_table import compared as compared_axis
from training.plans.records import StageRecord, write_json
from training.plans.stage_table import ROWS, build_row, given_by, refines
from training.plans.tiny import PREFERENCES, TINY
from training.recipes.places import Places
from training.recipes.tiny_ablations import one_reference

COMPONENTS = (
    "codec", "speak_encoder", "listen_encoder", "text_encoder", "chinese_text_encoder", "motion", "posing", "matte", "paint", "retouch",
    "base",
)  # fmt: skip


def record(stage: str, *, accepted: bool | None = True, steps: int = 5) -> StageRecord:
    return StageRecord(
        stage=stage, measure="held_out_distance", before=2.0, after=1.0, steps=steps, windows=40, minutes=0.5,
        accepted=accepted, verdict="taken on", all_before={"held_out_distance": 2.0}, all_after={"held_out_distance": 1.0},
    )  # fmt: skip


def test_a_row_has_the_weights_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed: dict[str, dict[str, str]] = {}

    def pack(folders: list[Path], output: Path, name: str, version: str) -> None:
        packed[name] = {path.stem: path.read_text() for path in folders[0].iterdir()}

    monkeypatch.setattr(stage_table, "build_pack", pack)
    parts = tmp_path / "parts"
    parts.mkdir()
    for name in COMPONENTS:
        (parts / f"{name}.safetensors").write_text(f"{name} of parts")
    records = {stage.name: record(stage.name) for stage in TINY.stages}
    records["on-policy"] = record("on-policy", accepted=False)
    for stage in TINY.stages:
        folder = given_by(TINY, tmp_path, records[stage.name]) if isinstance(stage, TrainedStage) else None
        if isinstance(stage, TrainedStage) and folder is not None:
            folder.mkdir(parents=True)
            for name in stage.gives:
                (folder / name).write_text(f"of {folder.relative_to(tmp_path / 'stages')}")
    for row in ROWS:
        build_row(row, TINY, tmp_path, records)
    components = set(COMPONENTS)
    assert set(packed["Base"]) == components
    assert packed["Causal"] == {**packed["Base"], "backbone": "of 12-causal", "refiner": "of 12-causal"}
    assert (packed["+ ODE"]["backbone"], packed["+ ODE"]["refiner"]) == ("of 14-ode", "of 12-causal")
    assert packed["+ on-policy"]["backbone"] == "of 16-on-policy/start", "a rejected stage gives what it began with"
    assert packed["+ refiner"]["backbone"] == "of 16-on-policy/start"
    assert packed["+ refiner"]["refiner"] == "of 17-refiner"
    assert [refines(row, records) for row in (ROWS[0], ROWS[1], ROWS[-1])] == [
        None,
        "the causal stage's network",
        "a refiner of its own",
    ]
    rejected = {**records, "refiner": record("refiner", accepted=False)}
    assert refines(ROWS[-1], rejected) == "the causal stage's network"


def test_pairs_are_of_equal_time() -> None:
    shares = {stage.name: stage.share for stage in ABLATIONS.stages}
    for pair in PAIRS.values():
        assert shares[pair.with_it] == shares[pair.without_it]
    table = compared({stage.name: record(stage.name) for stage in ABLATIONS.stages})
    assert table.keys() == PAIRS.keys()
    history = table["history"]
    assert isinstance(history, dict)
    assert history["without"]["stage"] == "clean-history"
    assert history["without"]["after"] == {"held_out_distance": 1.0}


def test_one_reference_is_the_global_one_in_every_place() -> None:
    features = clips_of_noise()
    alone = one_reference(features)
    given, seen = features.clips["references_RCHW"], alone.clips["references_RCHW"]
    assert seen.shape == given.shape
    assert all(torch.equal(seen[:, place], given[:, 0]) for place in range(3))
    assert not alone.clips["reference_indices_R"].any()
    assert features.clips["reference_indices_R"].any(), "the clips themselves are left alone"


def test_an_axis_is_compared_scene_by_scene() -> None:
    before = [{"identity": 0.5, "motion": 1.0}, {"identity": 0.7, "motion": 1.0, "lip_sync": -0.2}]
    after = [{"identity": 0.6, "motion": 1.0}, {"identity": 0.8, "motion": 1.0, "lip_sync": -0.1}]
    identity, lips = compared_axis("identity", before, after), compared_axis("lip_sync", before, after)
    assert (identity["before"], identity["after"], identity["scenes"]) == (0.6, 0.7, 2)
    assert identity["gain"] == {"value": 0.1, "interval": [0.1, 0.1]}
    assert lips["scenes"] == 1


def test_plans_before_and_after_are_of_the_same_scenes_and_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = small_maker(num_scenes=5, num_seeds=2)
    seeds = {"before": 0, "same": 0, "after": 3}

    def of_folder(places: Places, features: ClipFeatures) -> CandidateMaker:
        return replace(maker, features=features, motion=small_motion(seeds[places.parts.name]))

    # Real clips take minutes to make and encode; what is tested is the table.
    monkeypatch.setattr(preference_table, "clip_features", lambda places: clips_of_noise())
    monkeypatch.setattr(preference_table, "held_out_maker", of_folder)
    same, changed = (
        preference_table.compare_plans(Places(), tmp_path / "before", tmp_path / name, lambda line: None)
        for name in ("same", "after")
    )
    assert same["wins_less_losses"] == 0.0
    assert same["axes"]["motion"]["gain"] == {"value": 0.0, "interval": [0.0, 0.0]}  # type: ignore[index]
    assert changed["axes"]["motion"]["gain"]["value"] != 0.0  # type: ignore[index]
    axes = {"mouth_closed", "lip_sync", "nods", "reactions", "expression", "motion", "motion_per_frame"}
    assert set(changed["axes"]) <= axes and len(changed["axes"]) >= 6  # type: ignore[arg-type,call-overload]


def test_films_before_and_after_differ_in_the_motion_model_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed: dict[str, dict[str, str]] = {}

    def pack(folders: list[Path], output: Path, name: str, version: str) -> None:
        packed[name] = {path.stem: path.read_text() for path in folders[0].iterdir()}

    @contextmanager
    def crew(pack: str, *others: object) -> Iterator[str]:
        yield pack

    def quick(crew: str, *others: object) -> SimpleNamespace:
        figure = SimpleNamespace(name="mouth_r", as_table=lambda: {"value": Path(crew).parent.name})
        return SimpleNamespace(figures=[figure])

    monkeypatch.setattr(preference_table, "build_pack", pack)
    monkeypatch.setattr(preference_table, "pack_crew", crew)
    monkeypatch.setattr(preference_table, "run_quick", quick)
    for folder in ("parts", "before", "after"):
        (tmp_path / folder).mkdir()
        for name in COMPONENTS if folder == "parts" else ("motion",):
            (tmp_path / folder / f"{name}.safetensors").write_text(f"{name} of {folder}")
    folders = {name: tmp_path / name for name in ("before", "after")}
    config = chosen_config(full=False, num_actors=2)
    figures = preference_table.compare_films(
        tmp_path / "out", tmp_path / "parts", folders, config, 1, lambda line: None
    )
    assert figures == {name: {"mouth_r": {"value": name}} for name in folders}
    assert {name: files.pop("motion") for name, files in packed.items()} == {
        "before": "motion of before",
        "after": "motion of after",
    }
    assert packed["before"] == packed["after"] == {name: f"{name} of parts" for name in COMPONENTS if name != "motion"}


def test_a_table_of_stages_that_were_not_trained_is_refused(tmp_path: Path) -> None:
    records = [record(stage.name) for stage in PREFERENCES.stages]
    write_json(tmp_path / "plan.json", {"plan": PREFERENCES.name})
    write_json(tmp_path / "report.json", {"stages": [vars(each) for each in records]})
    plan, _, found = results_cli.finished_run(tmp_path)
    assert plan == PREFERENCES
    assert list(found) == ["clips", "preferences", "dpo"]
    parser = argparse.ArgumentParser()
    results_cli.add_arguments(parser)
    options = parser.parse_args(["stages", str(tmp_path), "-o", str(tmp_path / "stages.json")])
    with pytest.raises(BadInputError, match="a run of tiny-preferences, without the stage causal"):
        results_cli.run(options)


def test_a_folder_without_a_finished_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="holds no finished plan"):
        results_cli.finished_run(tmp_path)
    write_json(tmp_path / "plan.json", {"plan": "tiny"})
    write_json(tmp_path / "report.json", {"stages": [vars(record("forgotten"))]})
    with pytest.raises(BadInputError, match="another release, whose stages were forgotten"):
        results_cli.finished_run(tmp_path)
