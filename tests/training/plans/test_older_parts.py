"""Packs from before motion was planned, or the anchor posed: their base goes on, and what they lack begins from nothing or is asked for."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from engine.errors import BadInputError
from engine.model.transformer import DitInputs, Transformer
from engine.packs import fill_from_file, save_weights
from engine.references import ReferenceLatents
from tests.training.plans.small_plan import SMALL_PLAN
from training.plans.conductor import PlanRun, run_stages
from training.plans.older_parts import WITHOUT, missing_embeddings, with_embeddings
from training.plans.plan import Plan
from training.plans.tiny import ONLINE, PREFERENCES, TINY
from training.recipes import parts

SMALL = replace(parts.BASE, dim=24, ffn_dim=32, num_layers=1, num_heads=2)


OLDER = {"0.4": ("motion_embedding", "posed_embedding"), "0.5": ("posed_embedding",)}


@pytest.fixture(params=OLDER)
def lacks(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The embeddings that a base model of an older pack lacks."""
    return OLDER[request.param]


@pytest.fixture
def older(tmp_path: Path, lacks: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> Transformer:
    """A base model of an older pack, in the folder of the test."""
    monkeypatch.setattr(parts, "BASE", SMALL)
    torch.manual_seed(0)
    transformer = Transformer(replace(SMALL, **{name: each for lack in lacks for name, each in WITHOUT[lack].items()}))
    for parameter in transformer.parameters():
        nn.init.normal_(parameter, std=0.1)
    save_weights(tmp_path / parts.BASE_FILE, transformer)
    return transformer


def drawn(transformer: Transformer, motion_BFM: torch.Tensor | None, posed: bool = False) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    latents_BFCHW = torch.randn(1, 2, SMALL.in_channels, 2, 2, generator=generator)
    posed_BFCHW = torch.full_like(latents_BFCHW, 3.0) if posed else None
    inputs = DitInputs(
        latents_BFCHW=latents_BFCHW,
        timestep_BF=torch.full((1, 2), 500.0),
        references=replace(ReferenceLatents.none_for(latents_BFCHW), posed_BFCHW=posed_BFCHW),
        text_BSD=torch.randn(1, 3, SMALL.text_dim, generator=generator),
        speak_BAD=torch.randn(1, 2, SMALL.speak_dim, generator=generator),
        listen_BAD=torch.randn(1, 4, SMALL.listen_dim, generator=generator),
        listen_start_row=-2,
        motion_BFM=motion_BFM,
    )
    with torch.no_grad():
        drawn_BFCHW: torch.Tensor = transformer(inputs)
    return drawn_BFCHW


def test_an_older_base_draws_as_before_and_can_learn_what_it_lacks(
    older: Transformer, lacks: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / parts.BASE_FILE
    assert missing_embeddings(path) == list(lacks)
    with_embeddings(tmp_path)
    assert missing_embeddings(path) == []
    base = Transformer(SMALL)
    fill_from_file(path, base)
    rows_BFM = torch.randn(1, 2, SMALL.motion_dim, generator=torch.Generator().manual_seed(2))
    known_BFM = rows_BFM if "motion_embedding" not in lacks else None
    torch.testing.assert_close(drawn(base, rows_BFM, posed=True), drawn(older, known_BFM), rtol=1e-4, atol=1e-5)
    base.get_parameter("posed_embedding.patches.weight").data.normal_()
    assert not torch.allclose(drawn(base, rows_BFM, posed=True), drawn(older, known_BFM), atol=1e-3), "it can learn"
    written_ns = path.stat().st_mtime_ns
    with_embeddings(tmp_path)
    assert path.stat().st_mtime_ns == written_ns, "one that has both is left alone"
    (tmp_path / "nothing").mkdir()
    with_embeddings(tmp_path / "nothing")
    assert not list((tmp_path / "nothing").iterdir()), "without a base there is nothing to do"


def test_a_plan_begins_what_an_older_base_lacks_from_nothing(
    older: Transformer, lacks: tuple[str, ...], tmp_path: Path
) -> None:
    plan = replace(SMALL_PLAN, stages=SMALL_PLAN.stages[:1], prepare=with_embeddings)
    output = tmp_path / "out"
    run_stages(PlanRun(plan=plan, output=output, minutes=0.1, parts=tmp_path, start_from=tmp_path), lambda record: None)
    assert missing_embeddings(output / "parts" / parts.BASE_FILE) == []
    assert missing_embeddings(tmp_path / parts.BASE_FILE) == list(lacks), "the pack itself is left alone"
    assert TINY.prepare is with_embeddings


@pytest.mark.parametrize(
    ("plan", "missing", "way"),
    [
        (ONLINE, parts.MOTION_FILE, "lpm train tiny --parts {0} --start-from {0}"),
        (PREFERENCES, parts.MOTION_FILE, "lpm train tiny --parts {0} --start-from {0}"),
        (TINY, parts.POSING_FILE, "lpm train tiny-posing -o {0}"),
        (ONLINE, parts.POSING_FILE, "lpm train tiny-posing -o {0}"),
        (TINY, parts.RETOUCH_FILE, "lpm train tiny-retouch --parts {0} -o {0}"),
        (PREFERENCES, parts.RETOUCH_FILE, "lpm train tiny-retouch --parts {0} -o {0}"),
    ],
)
def test_a_plan_says_how_to_get_a_model_that_an_older_pack_lacks(
    plan: Plan, missing: str, way: str, tmp_path: Path
) -> None:
    for name in plan.given:
        if name != missing:
            (tmp_path / name).write_bytes(b"")
    with pytest.raises(BadInputError) as caught:
        run_stages(PlanRun(plan=plan, output=tmp_path / "out", minutes=1.0, parts=tmp_path), lambda record: None)
    assert f"{missing} is missing" in str(caught.value)
    assert way.format(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_are_no_weights_is_said(tmp_path: Path) -> None:
    (tmp_path / parts.BASE_FILE).write_bytes(b"not weights")
    with pytest.raises(BadInputError, match="cannot be read as weights"):
        with_embeddings(tmp_path)
