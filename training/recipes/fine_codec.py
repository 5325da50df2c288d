"""The codec of the parts with fine channels, which older ones lack."""

from pathlib import Path
from typing import Final

from engine.codec.folded_vae import FoldedVae
from engine.packs import fill_from_file
from training.data.portraits import PortraitSamples
from training.fine_basis import give_fine_channels
from training.grown_weights import fill_grown, knows
from training.recipes import parts

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
    give_fine_channels(codec, plain, FILMED)
    return codec
