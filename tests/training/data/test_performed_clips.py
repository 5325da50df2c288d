"""Performances without pictures: what plans of motion learn from is what a drawn clip of the same seed would hold of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.encoders.audio import AudioEncoder, AudioEncoderConfig
from engine.encoders.text import TextEncoder, TextEncoderConfig
from training.actor.directions import each_by_itself, sample_spans
from training.actor.performance import perform_clip
from training.data import performed_clips as performed
from training.data.clips import LEAD_FRAMES, clip_kind
from training.data.encoded import ClipEncoders
from training.data.motion_rows import FRAMES_PER_ROW
from training.data.motion_windows import MotionWindowConfig, cut_pieces, num_heard_rows
from training.data.performances import voice_pool

SEED = performed.PERFORMED_SEEDS


@pytest.fixture
def encoders() -> ClipEncoders:
    sound = AudioEncoderConfig(width=4, dilations=(1,), lookahead_frames=(0,), frames_per_row=FRAMES_PER_ROW)
    return ClipEncoders.of(
        AudioEncoder(sound).eval(), AudioEncoder(sound).eval(), TextEncoder(TextEncoderConfig()).eval()
    )


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performed, "PERFORMED_PER_SHARD", 2)
    monkeypatch.setattr(performed, "PERFORMED_FRAMES", 48)


def test_a_performance_is_that_of_its_seed_behind_the_lead() -> None:
    made = performed.perform(SEED)
    rng, num_frames = np.random.default_rng([SEED, 79]), LEAD_FRAMES + performed.PERFORMED_FRAMES
    kind = clip_kind(rng)
    told = each_by_itself(sample_spans(rng, num_frames, kind))
    whole = perform_clip(SEED, num_frames, kind, voice_pool(), told=told)
    assert torch.equal(made["state_TK"], torch.from_numpy(whole.state_TK[LEAD_FRAMES:]).half())
    assert len(made["speak_S"]) == len(whole.speak_S), "the lead is heard"
    assert len(made["text_of_latent_F"]) == performed.PERFORMED_FRAMES // FRAMES_PER_ROW
    last = whole.captions[int(made["text_of_latent_F"][-1])].text.strip().lower().encode()
    assert bytes(made["text_NL"][made["text_of_latent_F"][-1]].tolist()).rstrip(b"\0") == last[:128]


def test_every_moment_has_a_caption_of_its_own() -> None:
    spans = [sample_spans(np.random.default_rng(seed), 216, "speak") for seed in range(200)]
    apart = [each_by_itself(each) for each in spans]
    assert 4 < max(len(each) for each in apart) <= performed.MOST_CAPTIONS
    stays = 0
    for together, alone in zip(spans, apart, strict=True):
        moments = [moment for span in together for moment in span.moments]
        assert [(span.start_frame, span.end_frame) for span in alone] == [(m.start_frame, m.end_frame) for m in moments]
        for moment, span in zip(moments, alone, strict=True):
            assert replace(span.moments[0], is_expression_told=moment.is_expression_told) == moment
            stays += span.moments[0].is_expression_told and not moment.is_expression_told
    assert stays > 20, "a feeling that goes on is told again"


@pytest.mark.usefixtures("few")
def test_shards_are_made_once_and_pieces_are_cut_from_all_of_them(tmp_path: Path, encoders: ClipEncoders) -> None:
    assert performed.performed_clips(tmp_path, encoders) is None
    folder = performed.performed_folder(tmp_path, encoders)
    assert [performed.build_performed(folder, number, encoders) for number in (0, 1, 0)] == [True, True, False]
    features = performed.performed_clips(tmp_path, encoders)
    assert features is not None
    assert features.num_clips == 4
    assert num_heard_rows(features) == 48 // FRAMES_PER_ROW
    pieces = cut_pieces(features, MotionWindowConfig(), list(range(8)), history=3, new=3)
    assert pieces["motion_FM"].shape[:2] == (8, 6)
    assert pieces["text_SD"].isfinite().all()
    assert not list(folder.glob("*partial*"))


@pytest.mark.usefixtures("few")
def test_other_encoders_have_performances_of_their_own(tmp_path: Path, encoders: ClipEncoders) -> None:
    performed.build_performed(performed.performed_folder(tmp_path, encoders), 0, encoders)
    other = ClipEncoders.of(encoders.speak, encoders.speak, encoders.text)
    assert performed.performed_clips(tmp_path, other) is None
