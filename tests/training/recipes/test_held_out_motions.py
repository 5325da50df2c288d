"""Plans of motion are measured on clips that they are not learned from, however few clips there are."""

import pytest
import torch

from training.data.windows import ClipFeatures
from training.recipes.tiny_motion import NUM_HELD_OUT_MOTIONS, motions_apart


def clips(count: int) -> ClipFeatures:
    nothing = torch.zeros(count, 0)
    numbers = {"number": torch.arange(count), "latents_FCHW": nothing}
    return ClipFeatures(clips=numbers, speak_NAD=nothing, listen_NAD=nothing, text_NCLD=nothing)


@pytest.mark.parametrize("count", [3, 64, 4 * NUM_HELD_OUT_MOTIONS])
def test_both_have_clips_and_none_is_in_both(count: int) -> None:
    learned, held_out = motions_apart(clips(count))
    assert learned.num_clips > held_out.num_clips > 0
    assert held_out.num_clips <= NUM_HELD_OUT_MOTIONS
    together = torch.cat([held_out.clips["number"], learned.clips["number"]])
    assert torch.equal(together, torch.arange(count))
