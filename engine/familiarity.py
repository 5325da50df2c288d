"""Whether a pack knows the like of a portrait, told before anything is made of it.

The network that tells a character from what stands behind it (`engine.posing.matte`) is sure of nearly every pixel of the drawings that
it learned from, and in doubt about many where it has seen nothing like them. Of 150 held-out actors' front pictures the most doubtful one
has 2.2 % of doubtful pixels (1.5 % from the side or from behind), of forty strangers 3.2 %, of sixty flat heads by other hands one in
eight has more than 3 %, and of fifteen photographs in which it finds anybody all have 4 % and more.

Called by the command line and the studio. A pack without such a network knows nothing of it: all it gets is familiar.
"""

from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from engine.filled_components import filled_component
from engine.loaded_pack import find_pack
from engine.media.pictures import square_crop
from engine.packs import read_manifest
from engine.posing.loading import MATTE_ROLE
from engine.posing.matte import Matte

LEAST_CONTRAST: Final = 8  # levels of 0..255 from a picture's darkest to its lightest: on an even sheet there is nobody
MOST_DOUBT: Final = 0.035  # of a picture: where more of it is neither character nor wall, its kind was not learned from


class Familiarity(StrEnum):
    """How a pack takes a portrait."""

    FAMILIAR = "familiar"
    STRANGE = "strange"
    NOBODY = "nobody"

    @property
    def warning(self) -> str:
        """A sentence for whoever brings the picture; empty where there is nothing to warn of."""
        return {
            Familiarity.FAMILIAR: "",
            Familiarity.STRANGE: "This picture is unlike those that the model learned from: its face and its edges may tear or blur. "
            "A plain drawing of head and shoulders from the front fits best.",
            Familiarity.NOBODY: "The model finds nobody in this picture and will move all of it. "
            "Take a drawing of head and shoulders from the front.",
        }[self]


def familiarity(matte: Matte | None, picture_HWC: NDArray[np.uint8]) -> Familiarity:
    """How a pack with this network takes a portrait, uint8 RGB at its own size."""
    if matte is None:
        return Familiarity.FAMILIAR
    square_HWC = square_crop(picture_HWC, matte.config.look_px)
    device = next(matte.parameters()).device
    picture_BCHW = torch.from_numpy(square_HWC).permute(2, 0, 1)[None].to(device).float() / 127.5 - 1.0
    if np.ptp(square_HWC) < LEAST_CONTRAST or not bool(matte.has_somebody(picture_BCHW)[0]):
        return Familiarity.NOBODY
    return Familiarity.STRANGE if float(matte.doubt(picture_BCHW)[0]) > MOST_DOUBT else Familiarity.FAMILIAR


def familiarity_to_pack(pack: str | Path, picture_HWC: NDArray[np.uint8]) -> Familiarity:
    """The same, reading nothing of the pack but that network; `BadPackError` as `load_pack` raises it."""
    folder = find_pack(pack)
    entries = [entry for entry in read_manifest(folder).components if entry.role == MATTE_ROLE]
    matte = filled_component(folder, entries[0]) if entries else None
    return familiarity(matte if isinstance(matte, Matte) else None, picture_HWC)
