"""What TensorBoard shows is what the JSON lines say."""

from pathlib import Path

import pytest

from training.tensorboard import NoBoard, open_board


def test_scalars_arrive(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed (lpm-studio[training])")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = open_board(tmp_path, first_step=0)
    for step in (1, 2):
        board.add({"step": step, "loss": 1.0 / step, "stopped": "no"})
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 1.0), (2, 0.5)]
    assert events.Tags()["scalars"] == ["loss"]


def test_without_it_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert isinstance(open_board(tmp_path, first_step=0), NoBoard)
