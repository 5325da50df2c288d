"""Packs whose networks were told less: these go on, and what is missing begins from nothing or is asked for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from engine.codec.folded_vae import FoldedVae
from engine.errors import BadInputError
from engine.int8_weights import packed
from engine.model.transformer import DitInputs, Transformer
from engine.packs import fill_from_file, save_weights
from engine.posing.paint import Paint
from engine.posing.retouch import Retouch
from engine.references import ReferenceLatents
from tests.engine.codec.test_fine_channels import FINE, PLAIN
from tests.training.plans.small_plan import SMALL_PLAN
from training.data.portraits import PortraitSamples
from training.plans.conductor import PlanRun, run_stages
from training.plans.older_parts import missing_layers, with_new_layers
from training.plans.plan import Plan
from training.plans.tiny import ONLINE, PREFERENCES, TINY
from training.recipes import fine_codec, parts

SMALL = replace(parts.BASE, dim=24, ffn_dim=32, num_layers=1, num_heads=2)


OLDER = {"0.4": ("motion_embedding", "posed_embedding"), "0.5": ("posed_embedding",)}
# What a config says of a base model without each embedding.
WITHOUT: dict[str, dict[str, Any]] = {
    "motion_embedding": {"motion_dim": 0},
    "posed_embedding": {"is_shown_posed_anchor": False},
}


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
    assert missing_layers(path) == list(lacks)
    with_new_layers(tmp_path)
    assert missing_layers(path) == []
    base = Transformer(SMALL)
    fill_from_file(path, base)
    rows_BFM = torch.randn(1, 2, SMALL.motion_dim, generator=torch.Generator().manual_seed(2))
    known_BFM = rows_BFM if "motion_embedding" not in lacks else None
    torch.testing.assert_close(drawn(base, rows_BFM, posed=True), drawn(older, known_BFM), rtol=1e-4, atol=1e-5)
    base.get_parameter("posed_embedding.patches.weight").data.normal_()
    assert not torch.allclose(drawn(base, rows_BFM, posed=True), drawn(older, known_BFM), atol=1e-3), "it can learn"
    written_ns = path.stat().st_mtime_ns
    with_new_layers(tmp_path)
    assert path.stat().st_mtime_ns == written_ns, "one that has both is left alone"
    (tmp_path / "nothing").mkdir()
    with_new_layers(tmp_path / "nothing")
    assert not list((tmp_path / "nothing").iterdir()), "without a base there is nothing to do"


def test_a_plan_begins_what_an_older_base_lacks_from_nothing(
    older: Transformer, lacks: tuple[str, ...], tmp_path: Path
) -> None:
    plan = replace(SMALL_PLAN, stages=SMALL_PLAN.stages[:1], prepare=with_new_layers)
    output = tmp_path / "out"
    run_stages(PlanRun(plan=plan, output=output, minutes=0.1, parts=tmp_path, start_from=tmp_path), lambda record: None)
    assert missing_layers(output / "parts" / parts.BASE_FILE) == []
    assert missing_layers(tmp_path / parts.BASE_FILE) == list(lacks), "the pack itself is left alone"
    assert TINY.prepare is with_new_layers


@pytest.mark.parametrize(
    ("plan", "missing", "way"),
    [
        (ONLINE, parts.MOTION_FILE, "lpm train tiny --parts {0} --start-from {0}"),
        (PREFERENCES, parts.MOTION_FILE, "lpm train tiny --parts {0} --start-from {0}"),
        (TINY, parts.POSING_FILE, "lpm train tiny-posing -o {0}"),
        (ONLINE, parts.POSING_FILE, "lpm train tiny-posing -o {0}"),
        (TINY, parts.MATTE_FILE, "lpm train tiny-matte -o {0}"),
        (TINY, parts.CHINESE_FILE, "lpm train tiny-chinese-text --parts {0} -o {0}"),
        (TINY, parts.PAINT_FILE, "lpm train tiny-painting --parts {0}"),
        (TINY, parts.RETOUCH_FILE, "lpm train tiny-retouching --parts {0}"),
        (PREFERENCES, parts.RETOUCH_FILE, "lpm train tiny-retouching --parts {0}"),
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


def test_an_older_retouching_network_retouches_as_before_and_can_learn_what_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of 0.9.0 had three blocks and was told nothing."""
    monkeypatch.setattr(parts, "RETOUCH", replace(parts.RETOUCH, width=8, told_width=6))
    torch.manual_seed(0)
    older, path = Retouch(replace(parts.RETOUCH, num_blocks=3)), tmp_path / parts.RETOUCH_FILE
    for parameter in older.parameters():
        nn.init.normal_(parameter, std=0.1)
    nn.init.zeros_(older.tell.weight)
    old = {name: each for name, each in older.state_dict().items() if not name.startswith(("hear.", "tell."))}
    save_file(packed(old), path)
    assert missing_layers(path) == ["hear", "tell", "blocks.3"]
    with_new_layers(tmp_path)
    assert missing_layers(path) == []
    grown = Retouch(parts.RETOUCH)
    fill_from_file(path, grown)
    decoded_BTCHW, moved_BTCHW = torch.rand(2, 1, 8, 3, 24, 24)
    told_BFM = torch.randn(1, 2, parts.RETOUCH.row_width)
    with torch.no_grad():
        before, after = (each(decoded_BTCHW, moved_BTCHW, told_BFM) for each in (older, grown))
        assert (after - before).abs().mean() < 0.05 * (before - decoded_BTCHW).abs().mean()
        nn.init.normal_(grown.tell.weight)
        assert not torch.allclose(grown(decoded_BTCHW, moved_BTCHW, told_BFM), after, atol=1e-2), "it can learn"


def test_an_older_painting_network_paints_as_before_and_can_learn_what_is_felt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of 0.13.0 was told how a face moves, and dragged nothing by what it feels."""
    small = replace(parts.PAINT, look_px=16, look_widths=(4, 6), width=6, mixed_width=5, told_width=8)
    monkeypatch.setattr(parts, "PAINT", small)
    known, dragged = len(small.face_columns) - len(small.felt_columns), len(small.dragged_columns)
    old_dragged = dragged - len(small.felt_columns)
    torch.manual_seed(0)
    config = replace(
        small,
        face_columns=small.face_columns[:known],
        face_least=small.face_least[:known],
        face_most=small.face_most[:known],
        dragged_columns=small.dragged_columns[:old_dragged],
        felt_columns=(),
    )
    older, path = Paint(config).requires_grad_(False), tmp_path / parts.PAINT_FILE
    for parameter in older.parameters():
        nn.init.normal_(parameter, std=0.3)
    save_weights(path, older)
    assert sorted(missing_layers(path)) == ["drag", "hear"]
    with_new_layers(tmp_path)
    assert missing_layers(path) == []
    grown = Paint(small).requires_grad_(False)
    fill_from_file(path, grown)
    picture_BCHW, face_BTK = torch.rand(1, 3, 24, 24), torch.randn(1, 3, len(small.face_columns))
    face_BTK[..., known:] = 0.0
    before, after = older(picture_BCHW), grown(picture_BCHW)
    torch.testing.assert_close(after.kept_BCHW, before.kept_BCHW)
    torch.testing.assert_close(after.drags_BNCHW[:, :old_dragged], before.drags_BNCHW)
    assert before.drags_BNCHW.any() and not after.drags_BNCHW[:, old_dragged:].any()
    kept_BPC = grown.kept_at(after.kept_BCHW, torch.rand(1, 9, 2))
    painted_BTPC = grown.at(kept_BPC, face_BTK)
    torch.testing.assert_close(painted_BTPC, older.at(kept_BPC, face_BTK[..., :known]))
    felt_BTK = face_BTK + torch.cat([torch.zeros(known), torch.ones(len(small.felt_columns))])
    away_BTK = face_BTK.abs().amax(dim=-1)
    assert away_BTK.min() > 1.0, "each face is told enough to be painted as thickly as it can be"
    torch.testing.assert_close(grown.at(kept_BPC, felt_BTK), painted_BTPC)
    nn.init.normal_(grown.hear.weight)
    assert not torch.allclose(grown.at(kept_BPC, felt_BTK), grown.at(kept_BPC, face_BTK), atol=1e-3), "it can learn"


def test_weights_that_lack_more_than_what_is_new_are_refused(older: Transformer, tmp_path: Path) -> None:
    path = tmp_path / parts.BASE_FILE
    kept = {
        name: each for name, each in older.state_dict().items() if name != "out.weight" and "blocks.0.ffn" not in name
    }
    save_file(kept, path)
    with pytest.raises(BadInputError, match=r"lacks blocks\.0.*fetch the pack again"):
        with_new_layers(tmp_path)


def test_what_are_no_weights_is_said(tmp_path: Path) -> None:
    (tmp_path / parts.BASE_FILE).write_bytes(b"not weights")
    with pytest.raises(BadInputError, match="cannot be read as weights"):
        with_new_layers(tmp_path)


def test_a_codec_of_an_older_pack_is_given_fine_channels_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "CODEC", FINE)
    monkeypatch.setattr(parts, "COARSE_CODEC", PLAIN)
    monkeypatch.setattr(fine_codec, "FILMED", PortraitSamples(size_px=48, num_frames=8, still_share=0.0))
    monkeypatch.setattr(fine_codec, "NUM_FILMS", 5)
    torch.manual_seed(0)
    path = tmp_path / parts.CODEC_FILE
    plain = FoldedVae(PLAIN)
    save_weights(path, plain)
    with_new_layers(tmp_path)
    given = path.read_bytes()
    codec = FoldedVae(FINE)
    fill_from_file(path, codec)
    basis = codec.get_buffer("fine.basis")
    assert torch.allclose(basis @ basis.T, torch.eye(len(basis)), atol=1e-4)
    assert all(
        torch.equal(tensor, codec.encoder.state_dict()[name]) for name, tensor in plain.encoder.state_dict().items()
    )
    with_new_layers(tmp_path)
    assert path.read_bytes() == given
