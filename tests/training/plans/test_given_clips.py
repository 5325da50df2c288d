"""A plan that is given clips takes along what was made of them: encoded rows and posed anchors, each beside its shard."""

from pathlib import Path

import pytest

from engine.errors import BadInputError
from engine.packs import file_sha256
from tests.training.plans.small_plan import SMALL_PLAN
from training.data.shards import FINGERPRINT_NAME, claim_folder
from training.plans.conductor import PlanRun, _lay_out
from training.recipes.parts import CODEC_FILE

BESIDE = ("encoded-abc/clips-000000.safetensors.rows", "posed-def/clips-000000.safetensors.posed")


@pytest.fixture
def run(tmp_path: Path) -> PlanRun:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / CODEC_FILE).write_bytes(b"a codec")
    clips = tmp_path / "clips"
    claim_folder(clips, file_sha256(tmp_path / "given" / CODEC_FILE))
    for name in ("clips-000000.safetensors", *BESIDE, "posed-def/clips-000000.partial-77", "notes.txt"):
        (clips / name).parent.mkdir(exist_ok=True)
        (clips / name).write_text(name)
    return PlanRun(plan=SMALL_PLAN, output=tmp_path / "out", minutes=1.0, parts=tmp_path / "given", clips=clips)


def test_what_was_made_of_clips_comes_along_and_nothing_else(run: PlanRun) -> None:
    _lay_out(run)
    clips = run.places.clips
    found = {str(path.relative_to(clips)) for path in clips.rglob("*") if path.is_file()}
    assert found == {"clips-000000.safetensors", FINGERPRINT_NAME, *BESIDE}
    assert all((clips / name).read_text() == name for name in BESIDE)


def test_clips_of_another_codec_are_refused(run: PlanRun) -> None:
    (run.parts / CODEC_FILE).write_bytes(b"another codec")
    with pytest.raises(BadInputError, match="encoded by another codec"):
        _lay_out(run)
