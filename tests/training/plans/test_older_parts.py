"""Packs from before motion was planned: their base goes on as it is, and what they lack is begun from nothing or asked for."""

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
from training.plans.older_parts import is_told_motion, with_motion_embedding
from training.plans.plan import Plan
from training.plans.tiny import ONLINE, PREFERENCES, TINY
from training.recipes import parts

SMALL = replace(parts.BASE, dim=24, ffn_dim=32, num_layers=1, num_heads=2)


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Transformer:
    """A base model that knows no motion, in the folder of the test."""
    monkeypatch.setattr(parts, "BASE", SMALL)
    torch.manual_seed(0)
    transformer = Transformer(replace(SMALL, motion_dim=0))
    for parameter in transformer.parameters():
        nn.init.normal_(parameter, std=0.1)
    save_weights(tmp_path / parts.BASE_FILE, transformer)
    return transformer


def drawn(transformer: Transformer, motion_BFM: torch.Tensor | None) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    latents_BFCHW = torch.randn(1, 2, SMALL.in_channels, 2, 2, generator=generator)
    inputs = DitInputs(
        latents_BFCHW=latents_BFCHW,
        timestep_BF=torch.full((1, 2), 500.0),
        references=ReferenceLatents.none_for(latents_BFCHW),
        text_BSD=torch.randn(1, 3, SMALL.text_dim, generator=generator),
        speak_BAD=torch.randn(1, 2, SMALL.speak_dim, generator=generator),
        listen_BAD=torch.randn(1, 4, SMALL.listen_dim, generator=generator),
        listen_start_row=-2,
        motion_BFM=motion_BFM,
    )
    with torch.no_grad():
        drawn_BFCHW: torch.Tensor = transformer(inputs)
    return drawn_BFCHW


def test_an_older_base_draws_as_before_and_can_learn_motion(older: Transformer, tmp_path: Path) -> None:
    path = tmp_path / parts.BASE_FILE
    assert not is_told_motion(path)
    with_motion_embedding(tmp_path)
    assert is_told_motion(path)
    base = Transformer(SMALL)
    fill_from_file(path, base)
    rows_BFM = torch.randn(1, 2, SMALL.motion_dim, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(drawn(base, rows_BFM), drawn(older, None), rtol=1e-4, atol=1e-5)
    written_ns = path.stat().st_mtime_ns
    with_motion_embedding(tmp_path)
    assert path.stat().st_mtime_ns == written_ns, "one that is told motion is left alone"
    (tmp_path / "nothing").mkdir()
    with_motion_embedding(tmp_path / "nothing")
    assert not list((tmp_path / "nothing").iterdir()), "without a base there is nothing to do"


def test_a_plan_begins_an_older_bases_motion_from_nothing(older: Transformer, tmp_path: Path) -> None:
    plan = replace(SMALL_PLAN, stages=SMALL_PLAN.stages[:1], prepare=with_motion_embedding)
    output = tmp_path / "out"
    run_stages(PlanRun(plan=plan, output=output, minutes=0.1, parts=tmp_path, start_from=tmp_path), lambda record: None)
    assert is_told_motion(output / "parts" / parts.BASE_FILE)
    assert not is_told_motion(tmp_path / parts.BASE_FILE), "the pack itself is left alone"
    assert TINY.prepare is with_motion_embedding


@pytest.mark.parametrize("plan", [ONLINE, PREFERENCES])
def test_a_plan_that_needs_a_motion_model_says_how_to_get_one(plan: Plan, tmp_path: Path) -> None:
    for name in plan.given:
        if name != parts.MOTION_FILE:
            (tmp_path / name).write_bytes(b"")
    with pytest.raises(BadInputError) as caught:
        run_stages(PlanRun(plan=plan, output=tmp_path / "out", minutes=1.0, parts=tmp_path), lambda record: None)
    assert "motion.safetensors is missing" in str(caught.value)
    assert f"lpm train tiny --parts {tmp_path} --start-from {tmp_path}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_are_no_weights_is_said(tmp_path: Path) -> None:
    (tmp_path / parts.BASE_FILE).write_bytes(b"not weights")
    with pytest.raises(BadInputError, match="cannot be read as weights"):
        with_motion_embedding(tmp_path)
