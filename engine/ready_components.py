"""Codec and encoders of a pack as the engine uses them, whatever their kind: filled networks behind their protocols.

Called by `load_pack`. Knows every kind and how it stands behind its protocol; `engine.component_kinds` only knows networks.
"""

from pathlib import Path

import torch
from torch import nn

from engine.codec.folded_vae import FoldedVae
from engine.codec.protocol import VideoCodec
from engine.codec.wan.codec import WanVae
from engine.encoders.audio import AudioEncoder
from engine.encoders.protocol import AudioRows, TextRows
from engine.encoders.text import TextEncoder
from engine.encoders.umt5 import Umt5
from engine.encoders.umt5_text import Umt5TextEncoder
from engine.encoders.umt5_tokenizer import TOKENIZER_NAME, Umt5Tokenizer
from engine.encoders.wav2vec2 import Wav2Vec2
from engine.encoders.wav2vec2_audio import Wav2Vec2AudioEncoder
from engine.errors import BadPackError
from engine.packs import file_sha256


def codec_of(network: nn.Module, where: str) -> VideoCodec:
    """A network as a codec; `BadPackError` for one that is none."""
    if isinstance(network, FoldedVae):
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
    if isinstance(network, WanVae):
        return network
    raise _misplaced(network, "codec", where)


def audio_rows_of(network: nn.Module, where: str) -> AudioRows:
    """A network as an encoder of sound; `BadPackError` for one that is none."""
    if isinstance(network, AudioEncoder):
        return network
    if isinstance(network, Wav2Vec2):
        return Wav2Vec2AudioEncoder(network).eval()
    raise _misplaced(network, "encoder of sound", where)


def text_rows_of(network: nn.Module, folder: Path) -> TextRows:
    """A network as an encoder of words, with the pack's tokenizer where it needs one.

    `BadPackError` for a network that is none, or a tokenizer that is missing or not the manifest's.
    """
    if isinstance(network, TextEncoder):
        return network
    if not isinstance(network, Umt5):
        raise _misplaced(network, "encoder of words", str(folder))
    path = folder / TOKENIZER_NAME
    if not path.is_file():
        raise BadPackError(f"{path} is missing; fetch the pack again")
    if file_sha256(path) != network.config.tokenizer_sha256:
        raise BadPackError(f"{path} is damaged (its hash is not the manifest's); fetch the pack again")
    return Umt5TextEncoder(network, Umt5Tokenizer(path, network.config.num_tokens)).eval()


def _misplaced(network: nn.Module, part: str, where: str) -> BadPackError:
    return BadPackError(f"{where}: {type(network).__name__} is no {part}; fetch the pack again")
