"""Clips' anchors in pose: made once for each shard and network, in the order of the clips, the expression's where it shows."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.codec.folded_vae import FoldedVae
from engine.posing.anchor_picture import AnchorPicture
from engine.posing.paint import Paint
from engine.posing.pose_flow import PoseFlow
from engine.posing.poser import Poser
from engine.precision import fast_autocast
from tests.engine.small_pack import CODEC
from training.actor.draw import draw_frame
from training.actor.references import expression_state
from training.actor.state import channel, resting_state
from training.data import posed_clips as module
from training.data import shards
from training.data.clips import REFERENCE_NAMES, clip_identity
from training.data.motion_rows import motion_rows, rest_row
from training.data.posed_clips import LEAST_SHOWN, ClipPosing, posed_clips, posed_shard
from training.recipes import parts

SIZE_PX, NUM_LATENTS, CLIPS_PER_SHARD = 24, 3, 4
SAD, HAPPY = (REFERENCE_NAMES.index(f"expression_{name}") for name in ("sad", "happy"))


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four clips instead of sixteen, which would be as good and slower."""
    monkeypatch.setattr(shards, "CLIPS_PER_SHARD", CLIPS_PER_SHARD)


def small_posing(seed: int = 0, codec_seed: int = 0, size_px: int = SIZE_PX) -> ClipPosing:
    torch.manual_seed(seed)
    flow = PoseFlow(replace(parts.POSING, look_px=16, widths=(4, 6))).eval().requires_grad_(False)
    torch.nn.init.normal_(flow.head.weight, std=0.3)
    torch.manual_seed(codec_seed)
    return ClipPosing.of(flow, FoldedVae(CODEC).eval().requires_grad_(False), size_px)


def moving_states(seed: int) -> Tensor:
    """States [T, K] of somebody who turns, and shows no expression."""
    states_TK = torch.from_numpy(resting_state(4 * NUM_LATENTS))
    drawn = torch.Generator().manual_seed(seed)
    states_TK[:, channel("yaw")] = 0.3 * torch.randn(4 * NUM_LATENTS, generator=drawn)
    states_TK[:, channel("sway")] = 0.3 * torch.randn(4 * NUM_LATENTS, generator=drawn)
    return states_TK


def write(folder: Path, number: int, seed: int, indices: tuple[int, ...] = (0, 2, SAD)) -> dict[str, Tensor]:
    clips = {
        "state_TK": torch.stack([moving_states(100 * seed + clip) for clip in range(CLIPS_PER_SHARD)]).half(),
        "reference_indices_R": torch.tensor(indices).expand(CLIPS_PER_SHARD, -1).contiguous(),
        "latents_FCHW": torch.zeros(CLIPS_PER_SHARD, 2, 3, 1, 1).half(),
    }
    save_file(clips, folder / f"clips-{number:06d}.safetensors")
    return clips


def posed_by_hand(posing: ClipPosing, number: int, expression: str, states_TK: Tensor) -> Tensor:
    """The anchor of a clip's character, frame after frame by a poser, [F, C, h, w]."""
    picture_HWC = draw_frame(clip_identity(number), expression_state(expression), posing.size_px)
    pixels_BCHW = torch.from_numpy(picture_HWC).permute(2, 0, 1)[None].float() / 127.5 - 1
    shown_TK = torch.from_numpy(expression_state(expression)).expand(4, -1)
    with fast_autocast(torch.device("cpu")):
        poser = Poser(posing.flow, posing.codec, rest_row())
        picture = AnchorPicture(pixels_BCHW=pixels_BCHW, row_BM=motion_rows(shown_TK)[:1])
        return poser.latents(picture, motion_rows(states_TK.half().float())[None])[0]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each shard that is posed: its first clip."""
    calls: list[int] = []

    def counting(clips: dict[str, Tensor], posing: ClipPosing) -> Tensor:
        calls.append(int(clips["number"][0]))
        return posed_shard(clips, posing)

    monkeypatch.setattr(module, "posed_shard", counting)
    return calls


def test_each_shard_is_posed_once_and_clips_come_in_their_order(tmp_path: Path, counted: list[int]) -> None:
    written = [write(tmp_path, number, number) for number in range(2)]
    posing = small_posing()
    first, second = posed_clips(tmp_path, posing), posed_clips(tmp_path, posing)
    assert counted == [0, CLIPS_PER_SHARD]
    assert torch.equal(first, second)
    assert first.shape == (2 * CLIPS_PER_SHARD, 2, NUM_LATENTS, CODEC.latent_channels, 2, 2)
    assert first.dtype == torch.float16
    for number in (0, 2, CLIPS_PER_SHARD, 2 * CLIPS_PER_SHARD - 1):
        states_TK = written[number // CLIPS_PER_SHARD]["state_TK"][number % CLIPS_PER_SHARD].float()
        wanted_FCHW = posed_by_hand(posing, number, "neutral", states_TK)
        torch.testing.assert_close(first[number, 0].float(), wanted_FCHW, rtol=1e-2, atol=1e-2)
    assert torch.equal(first[:, 0], first[:, 1]), "nobody shows anything"
    assert (first[0, 0, 0] - first[0, 0, 1]).abs().max() > 0.05, "a head that turns is posed otherwise"


def test_another_network_and_a_shard_built_anew_are_noticed(tmp_path: Path, counted: list[int]) -> None:
    write(tmp_path, 0, 0)
    posing = small_posing()
    before = posed_clips(tmp_path, posing)
    for other in (small_posing(seed=1), small_posing(codec_seed=1), small_posing(size_px=36)):
        assert other.name != posing.name
        posed = posed_clips(tmp_path, other)
        assert posed.shape != before.shape or not torch.equal(posed, before)
    assert len(counted) == 4
    assert small_posing().name == posing.name
    write(tmp_path, 0, 9)
    os.utime(tmp_path / "clips-000000.safetensors", ns=(0, 0))
    assert not torch.equal(before, posed_clips(tmp_path, posing))
    (kept,) = tmp_path.glob(f"posed-{posing.name}/*.posed")
    kept.write_bytes(kept.read_bytes()[:100])  # a disk that was full
    assert len(posed_clips(tmp_path, posing)) == CLIPS_PER_SHARD
    assert len(counted) == 6


def test_processes_share_the_shards(tmp_path: Path, counted: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        write(tmp_path, number, number)
    whole = posed_clips(tmp_path, small_posing())
    for kept in sorted(tmp_path.glob("posed-*/*.posed"))[::2]:
        kept.unlink()
    counted.clear()
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert torch.equal(posed_clips(tmp_path, small_posing()), whole)
    assert counted == [0, 2 * CLIPS_PER_SHARD]


def showing(expression: str, strengths: tuple[float, ...]) -> Tensor:
    """Moving states that show an expression so strongly, latent by latent."""
    states_TK = moving_states(7)
    strengths_T = torch.tensor(strengths).repeat_interleave(4)
    states_TK[:, channel("expression_neutral")] = 1 - strengths_T
    states_TK[:, channel(f"expression_{expression}")] = strengths_T
    return states_TK


def posed_clip(posing: ClipPosing, states_TK: Tensor, indices: tuple[int, ...], number: int = 4) -> Tensor:
    clips = {
        "number": torch.tensor([number]),
        "state_TK": states_TK[None].half(),
        "reference_indices_R": torch.tensor([indices]),
    }
    return posed_shard(clips, posing)[0].float()


def test_an_expression_that_shows_has_its_own_anchor_where_it_shows() -> None:
    posing, states_TK = small_posing(size_px=72), showing("sad", (0.0, 0.9, 0.3))
    posed_AFCHW = posed_clip(posing, states_TK, (0, HAPPY, SAD))
    neutral_FCHW, sad_FCHW = (posed_by_hand(posing, 4, name, states_TK) for name in ("neutral", "sad"))
    assert (neutral_FCHW - sad_FCHW).abs().amax(dim=(1, 2, 3)).min() > 0.04
    torch.testing.assert_close(posed_AFCHW[0], neutral_FCHW, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(posed_AFCHW[1, 0], neutral_FCHW[0], rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(posed_AFCHW[1, 1:], sad_FCHW[1:], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("expression", "strength", "indices"),
    [
        ("sad", 0.9, (0, 2, HAPPY)),  # the clip has no picture of it
        ("sad", 0.9, (0,)),
        ("sad", 0.9 * LEAST_SHOWN, (0, 2, SAD)),  # hardly there
        ("neutral", 1.0, (0, 2, REFERENCE_NAMES.index("expression_neutral"))),
    ],
)
def test_without_an_expression_or_its_picture_both_are_the_global_one(
    expression: str, strength: float, indices: tuple[int, ...]
) -> None:
    posed_AFCHW = posed_clip(small_posing(), showing(expression, (strength,) * NUM_LATENTS), indices)
    assert torch.equal(posed_AFCHW[0], posed_AFCHW[1])
    assert np.isfinite(posed_AFCHW.numpy()).all()


@pytest.mark.parametrize("shown", ["neutral", "sad"])
def test_a_still_character_is_its_picture(shown: str) -> None:
    """And one that feels what its picture shows: over that nothing is painted."""
    posing = small_posing()
    torch.manual_seed(0)
    paint = Paint(replace(parts.PAINT, look_px=16, look_widths=(4, 6), width=6, mixed_width=5, told_width=8))
    for parameter in paint.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    posing = replace(posing, paint=paint.eval().requires_grad_(False))
    states_TK = torch.from_numpy(expression_state(shown)).repeat(4 * NUM_LATENTS, 1)
    posed_AFCHW = posed_clip(posing, states_TK, (0, 2, SAD))
    picture_HWC = draw_frame(clip_identity(4), expression_state(shown), SIZE_PX)
    pixels_BCHW = torch.from_numpy(picture_HWC).permute(2, 0, 1)[None].float() / 127.5 - 1
    with fast_autocast(torch.device("cpu")):
        still_CHW = posing.codec.encode_still(pixels_BCHW)[0]
    by_expression_FCHW = posed_AFCHW[1]
    torch.testing.assert_close(by_expression_FCHW, still_CHW.expand_as(by_expression_FCHW), rtol=2e-2, atol=2e-2)
    is_another = not torch.allclose(posed_AFCHW[0], by_expression_FCHW, atol=5e-2)
    assert is_another is (shown == "sad"), "the neutral one is painted"
