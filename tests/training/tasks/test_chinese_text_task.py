"""The encoder that reads Chinese learns the rows of the English one, which stays as it is."""

from pathlib import Path

import torch

from engine.encoders.text import TextEncoder, TextEncoderConfig
from tests.training.tasks.short_runs import check_that_what_is_exported_starts_another_run, losses_of
from training.data.bilingual_samples import BilingualSamples
from training.tasks.chinese_text import ChineseTextTask

SMALL = TextEncoderConfig(max_bytes=64, width=24, num_layers=1, num_heads=2)


def small_task(seed: int = 0) -> ChineseTextTask:
    torch.manual_seed(seed)
    return ChineseTextTask(
        english=TextEncoder(SMALL),
        samples=BilingualSamples(max_bytes=SMALL.max_bytes),
        weights_file="chinese_text_encoder.safetensors",
        num_held_out=32,
    )


def test_some_steps_bring_the_rows_nearer_and_leave_the_teacher_alone() -> None:
    task = small_task()
    before = {name: tensor.clone() for name, tensor in task.english.state_dict().items()}
    begun = task.measure()
    losses = losses_of(task, num_steps=200, batch_samples=16, learning_rate=5e-3)
    learned = task.measure()
    assert losses[-1] < 0.8 * losses[0]
    assert learned["held_out_rows"] < 0.8 * begun["held_out_rows"]
    assert learned["held_out_meaning"] < begun["held_out_meaning"]
    assert 0.0 <= learned["feeling_called"] <= 1.0
    assert all(torch.equal(before[name], tensor) for name, tensor in task.english.state_dict().items())


def test_the_pupil_begins_as_its_teacher() -> None:
    task = small_task()
    texts = ["她笑了", "向左看"]
    assert torch.equal(task.chinese.encode(texts), task.english.encode(texts))


def test_what_is_exported_starts_another_run(tmp_path: Path) -> None:
    check_that_what_is_exported_starts_another_run(small_task(0), small_task(1), tmp_path)
