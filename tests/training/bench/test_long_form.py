"""The long-form measure must tell a face that stays from one that turns into another, and read joins from a film's report."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine import FilmPiece
from engine.characters import Character, find_character, load_character
from engine.errors import BadInputError
from engine.media.film import FilmWriter
from training.actor.voices import VoicePool
from training.bench.long_form import LongFormFigures, conversation_job, measure_long_form, slope
from training.bench.long_form_cli import add_arguments, read_joins, run_seams_job
from training.bench.reading import resized
from training.bench.regressor import load_regressor

NUM_FRAMES = 20 * 24
PIECE_FRAMES = 12


@pytest.fixture(scope="module")
def maya() -> Character:
    return load_character(find_character("maya"))


@pytest.fixture(scope="module")
def omar() -> Character:
    return load_character(find_character("omar"))


def picture_of(character: Character) -> NDArray[np.float32]:
    return resized(character.global_picture_HWC, 96).astype(np.float32)


def film(start: Character, end: Character) -> Iterator[FilmPiece]:
    """One face fading into another, in pieces as the engine gives them."""
    first, last = picture_of(start), picture_of(end)
    for frame in range(0, NUM_FRAMES, PIECE_FRAMES):
        shares = np.arange(frame, frame + PIECE_FRAMES)[:, None, None, None] / NUM_FRAMES
        yield FilmPiece(
            start_frame=frame,
            frames_THWC=((1 - shares) * first + shares * last).round().astype(np.uint8),
            num_frames=NUM_FRAMES,
            stages_s={"denoise": 0.5},
            join_frames=(frame,) if frame else (),
        )


def measured(start: Character, end: Character) -> LongFormFigures:
    return measure_long_form(film(start, end), start, (end,), load_regressor(), lambda line: None)


def test_a_face_that_stays_is_flat_and_one_that_changes_is_not(maya: Character, omar: Character) -> None:
    still, changing = measured(maya, maya), measured(maya, omar)
    flat, rising = still.slope_per_minute("identity_distance"), changing.slope_per_minute("identity_distance")
    assert flat is not None and abs(flat.value) < 1e-3
    assert rising is not None and rising.interval[0] > 0.1
    first, last = changing.ends("identity_distance")
    assert first < 0.5 * last <= changing.others_distance
    assert len(changing.stretches) == 4 and changing.num_frames == NUM_FRAMES
    assert changing.seams.num_joins == NUM_FRAMES // PIECE_FRAMES - 1 and changing.seams.picture.is_hidden
    table = changing.as_table()
    assert table["price"]["stages_s_per_s"]["denoise"] == pytest.approx(1.0)
    assert table["memory_mb"]["last"] > 50
    assert json.loads(json.dumps(table))["identity_distance"]["slope_per_minute"] > 0.1


def test_slope_is_the_least_squares_one() -> None:
    assert slope([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) == pytest.approx(2.0)
    assert slope([(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)]) == pytest.approx(0.0)
    assert slope([(1.0, 1.0), (1.0, 5.0)]) == 0.0


def test_a_conversation_has_both_voices_and_directions_all_through(maya: Character, voices: VoicePool) -> None:
    job, again, other = (conversation_job(maya, 240, seed, voices) for seed in (3, 3, 4))
    assert job.speak_S is not None and job.listen_S is not None and again.speak_S is not None
    assert len(job.speak_S) == len(job.listen_S) == 240_000
    assert np.abs(job.speak_S[0:240_000]).max() > 0.01 and np.abs(job.listen_S[0:240_000]).max() > 0.01
    assert np.array_equal(job.speak_S[0:240_000], again.speak_S[0:240_000])
    assert other.speak_S is not None and not np.array_equal(job.speak_S[0:240_000], other.speak_S[0:240_000])
    assert job.directions.at(0) and job.directions.at(239)
    assert replace(job, num_frames=10).prompts == job.prompts


def test_joins_of_a_film_file_are_read_from_its_report(
    tmp_path: Path, maya: Character, omar: Character, capsys: pytest.CaptureFixture[str]
) -> None:
    path, report = tmp_path / "film.mp4", tmp_path / "film.json"
    with FilmWriter(path, size_px=96) as writer:
        for place, character in enumerate((maya, omar, maya, omar)):
            wobble = np.arange(12)[:, None, None, None] % 2 * 4.0
            frames = np.clip(picture_of(character) + wobble + place, 0, 255)
            writer.append(frames.astype(np.uint8))
        writer.commit()
    report.write_text(json.dumps({"join_frames": [12, 24, 36]}))
    parser = argparse.ArgumentParser()
    add_arguments(parser.add_subparsers())
    out = tmp_path / "seams.json"
    run_seams_job(parser.parse_args(["seams", str(path), "--joins", str(report), "--report", str(out)]))
    assert "TO BE SEEN" in capsys.readouterr().out
    assert json.loads(out.read_text())["seams"]["picture"]["ratio"] > 3


@pytest.mark.parametrize("text", ["", "[]", '{"join_frames": "12"}', '{"join_frames": [0]}', '{"seconds": 1}'])
def test_a_report_without_joins_is_refused_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "film.json"
    path.write_text(text)
    with pytest.raises(BadInputError, match="make the film with --report"):
        read_joins(path)
    with pytest.raises(BadInputError, match="make the film with --report"):
        read_joins(tmp_path / "missing.json")
