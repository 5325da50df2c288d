"""People's votes, from films that a pack makes to a pack that prefers what they preferred."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import BadInputError
from engine.loaded_pack import load_pack
from engine.media.film_reading import probe_film
from engine.model_config import AudioWindow
from tests.engine import small_pack
from tests.training.fine_tuning.test_clip_folder import write_clip
from training.dpo import films_cli
from training.dpo.pairs import FILMS, PLANS, PreferencePair, read_scene, write_pairs, write_scene
from training.onto_pack import pack_onto
from training.parallel import World
from training.recipes.dpo import dpo
from training.recipes.places import Places
from training.recipes.run import NothingToLearn
from training.tasks.preference import PreferenceTask


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small pack without a plan of motion that hears one row a latent."""
    speak, listen = replace(small_pack.SPEAK, frames_per_row=4), replace(small_pack.LISTEN, frames_per_row=4)
    base = replace(
        small_pack.BASE,
        speak_dim=speak.row_width,
        listen_dim=listen.row_width,
        speak_window=AudioWindow(rows_per_latent=1, rows_before=0, rows_after=0),
        listen_window=AudioWindow(rows_per_latent=1, rows_before=2, rows_after=0),
    )
    for name, config in (("SPEAK", speak), ("LISTEN", listen), ("BASE", base)):
        monkeypatch.setattr(small_pack, name, config)
    (tmp_path / "pack").mkdir()
    return small_pack.write_small_pack(tmp_path / "pack")


def films_to_judge(pack: Path, clips: Path, votes: Path, *words: str) -> None:
    parser = argparse.ArgumentParser()
    films_cli.add_arguments(parser)
    films_cli.run(parser.parse_args(["--parts", str(pack), "--clips", str(clips), "-o", str(votes), *words]))


def test_votes_on_films_change_the_base_model(tmp_path: Path, pack: Path) -> None:
    clips, votes = tmp_path / "clips", tmp_path / "votes"
    write_clip(clips / "a", 40, seed=0)
    write_clip(clips / "b", 48, seed=1)
    films_to_judge(pack, clips, votes, "--scenes", "10", "--seconds", "0.5")
    film = probe_film(votes / "scenes" / "scene-000003-1.mp4")
    assert film.video_s == pytest.approx(0.5)
    pairs = [
        PreferencePair(scene=f"scene-{number:06d}", winner=number % 2, loser=1 - number % 2, judge="person:anna")
        for number in range(10)
    ]
    write_pairs(votes / "pairs.jsonl", pairs)
    scene = read_scene(votes, pairs[0], FILMS)
    assert scene[FILMS].shape[:2] == (2, 3)
    assert not torch.equal(scene[FILMS][0], scene[FILMS][1]), "seeds differ"

    task = dpo(Places(parts=pack, clips=votes)).task
    assert isinstance(task, PreferenceTask)
    assert (len(task.trained_on.pairs), len(task.held_out_pairs.pairs)) == (8, 2)
    assert task.measure()["held_out_preferred"] == 0.0
    optimizer = torch.optim.Adam(task.model.parameters(), lr=3e-4)
    batch = next(task.batches(0, 8, World(rank=0, size=1), 0))
    for _ in range(12):
        optimizer.zero_grad()
        losses = task.loss(batch, torch.Generator().manual_seed(0))
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert float(losses["preferred"]) > 0.7, "what it learns from, it prefers"
    assert float(losses["dpo"]) < 0.6, "below log 2, the loss of a coin"
    (tmp_path / "run").mkdir()
    task.export(tmp_path / "run")
    pack_onto(pack, [tmp_path / "run"], tmp_path / "new", "voted", "2")
    voted, given = load_pack(tmp_path / "new").transformer, load_pack(pack).transformer
    assert not torch.equal(voted.head.head.weight, given.head.head.weight)


def test_too_few_votes_and_plans_instead_of_films_are_refused(tmp_path: Path, pack: Path) -> None:
    line = {"format": 1, "scene": "scene-1", "winner": 0, "loser": 1, "judge": "person:anna"}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(NothingToLearn, match="has 1 votes"):
        dpo(Places(parts=pack, clips=tmp_path))
    for number in range(12):
        write_scene(tmp_path, f"scene-{number}", {PLANS: torch.zeros(2, 6, 4)})
    write_pairs(
        tmp_path / "pairs.jsonl",
        [PreferencePair(scene=f"scene-{number}", winner=0, loser=1, judge="measures") for number in range(12)],
    )
    task = dpo(Places(parts=pack, clips=tmp_path)).task
    with pytest.raises(BadInputError, match="holds no films"):
        task.measure()
    with pytest.raises(BadInputError, match="a vote needs a scene, two films"):
        films_to_judge(pack, tmp_path, tmp_path / "votes", "--seeds", "1")
