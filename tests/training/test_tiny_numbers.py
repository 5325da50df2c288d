"""Tiny numbers count as nothing once that was asked for, in the thread that asked."""

import threading

import torch

from training.tiny_numbers import drop_tiny_numbers


def test_tiny_numbers_count_as_nothing() -> None:
    found: list[tuple[float, bool, float, float]] = []

    def train() -> None:  # in a thread of its own: the setting stays with it
        torch.set_flush_denormal(False)  # whatever the thread that starts this one has asked for
        tiny = torch.full((8,), 1e-30)
        before = float((tiny * 1e-12).sum())
        is_possible = drop_tiny_numbers()
        found.append((before, is_possible, float((tiny * 1e-12).sum()), float((tiny * 1e-5).sum())))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    ((before, is_possible, after, small),) = found
    assert before > 0.0
    assert after == (0.0 if is_possible else before)
    assert small > 0.0, "what float32 can hold whole stays"
