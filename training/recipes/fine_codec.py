"""The codec of the parts with fine channels, which older ones lack, and one that was just trained."""

import os
from pathlib import Path
from typing import Final

from engine.codec.folded_vae import FoldedVae
from engine.packs import fill_from_file, save_weights
from training.data.portraits import PortraitSamples
from training.fine_basis import NUM_FILMS, give_fine_channels
from training.grown_weights import fill_grown, knows
from training.recipes import parts
from training.recipes.places import Places
from training.time_budget import TimeBudget

FINE_BASIS: Final = "fine.basis"
FILMED: Final = PortraitSamples(size_px=parts.SIZE_PX, num_frames=8, still_share=0.0)


def fine_codec(folder: Path) -> FoldedVae:
    """The codec of a folder of parts; one without fine channels is given them, and its decoder draws as it did. Half a minute then."""
    path, codec = folder / parts.CODEC_FILE, FoldedVae(parts.CODEC)
    if path.is_file() and knows(path, FINE_BASIS):
        fill_from_file(path, codec)
        return codec
    plain = FoldedVae(parts.COARSE_CODEC).eval()
    fill_from_file(path, plain)
    fill_grown(path, codec)
    give_fine_channels(codec, plain, FILMED, NUM_FILMS)
    return codec


def with_fine_channels(folder: Path) -> bool:
    """Gives the codec of a folder of parts fine channels where it is there without; returns whether it did."""
    path = folder / parts.CODEC_FILE
    if not path.is_file() or knows(path, FINE_BASIS):
        return False
    partial = path.with_suffix(f".partial-{os.getpid()}")
    save_weights(partial, fine_codec(folder))
    partial.replace(path)
    return True


def make_fine_channels(places: Places, budget: TimeBudget) -> int:
    """The first process gives the codec of the parts fine channels; returns how many each place has."""
    if os.environ.get("RANK", "0") == "0":
        with_fine_channels(places.parts)
    budget.keep()
    return parts.FINE_CHANNELS
