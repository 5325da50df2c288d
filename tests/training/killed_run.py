"""A short run in a process of its own, for tests that kill it: prints a line a step."""

import sys
from pathlib import Path

from tests.training.test_trainer import ALONE, CONFIG, Carrier
from training.cli import changed_config
from training.trainer import Trainer


def main() -> None:
    """Trains into the folder given as the last argument, or resumes there."""
    config = changed_config(CONFIG, ("num_steps=40", "save_each_steps=1", "accumulate=2", "sample_each_steps=7"))
    Trainer(Carrier(), config, Path(sys.argv[-1]), ALONE).run(lambda record: sys.stdout.write(f"{record['step']}\n"))
