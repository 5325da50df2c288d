"""The recipes of the ablations: each is one of the small pack's recipes with one thing taken out, and is compared with it."""

from dataclasses import replace

import torch

from training.data.windows import ClipFeatures
from training.recipes import tiny
from training.recipes.places import Places
from training.recipes.run import Run
from training.tasks.base_model import BaseModelTask


def tiny_base_one_reference(places: Places) -> Run:
    """`tiny-base` that never sees another reference than the global one."""
    run = tiny.tiny_base(places)
    task = run.task
    assert isinstance(task, BaseModelTask)
    task.features, task.held_out = one_reference(task.features), one_reference(task.held_out)
    return run


def one_reference(features: ClipFeatures) -> ClipFeatures:
    """The clips with the global reference in all places of references, so that windows cost the same and tell nothing more."""
    references_NRCHW = features.clips["references_RCHW"]
    indices_NR = features.clips["reference_indices_R"]
    return replace(
        features,
        clips={
            **features.clips,
            "references_RCHW": references_NRCHW[:, :1].expand_as(references_NRCHW),
            "reference_indices_R": torch.zeros_like(indices_NR),
        },
    )
