"""Clips behind the frozen encoders: sounds and captions of each shard are encoded once and kept beside the clips (paper 5.1).

The processes of a run share the shards between them. What is kept lies in a folder named after the encoders and says which file it was
made from, so neither other encoders nor clips built anew can be mistaken for it. Called by the recipes.
"""

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from einops import rearrange
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.encoders.audio import AudioEncoder
from engine.encoders.text import TextEncoder
from training.data.clips import LEAD_FRAMES
from training.data.shards import load_shard, shard_paths, stacked
from training.data.windows import LISTEN_HISTORY_ROWS, ClipFeatures

ENCODE_BATCH: Final = 16
POLL_S: Final = 0.5
HEARD_AND_READ: Final = ("speak_S", "listen_S", "text_NL")  # what is of no use behind the encoders
MADE_FROM: Final = "made_from"
ENCODED_ROWS: Final = "encoded-*/*.rows"  # all that is kept in a folder of clips


@dataclass(frozen=True, kw_only=True)
class ClipEncoders:
    """The frozen encoders of sounds and captions; `name` tells them from all others, weights and shapes."""

    speak: AudioEncoder
    listen: AudioEncoder
    text: TextEncoder
    name: str

    @classmethod
    def of(cls, speak: AudioEncoder, listen: AudioEncoder, text: TextEncoder) -> "ClipEncoders":
        """Named by what they hold."""
        mark = hashlib.sha256()
        for encoder in (speak, listen, text):
            mark.update(repr(encoder.config).encode())
            for name, tensor in sorted(encoder.state_dict().items()):
                mark.update(name.encode())
                mark.update(tensor.float().numpy().tobytes())
        return cls(speak=speak, listen=listen, text=text, name=mark.hexdigest()[:12])


def encoded_clips(folder: Path, encoders: ClipEncoders) -> ClipFeatures:
    """All clips of a folder in memory; this process encodes its share of what is missing and waits for the others'."""
    kept = folder / f"encoded-{encoders.name}"
    kept.mkdir(exist_ok=True)
    shards = {path: kept / f"{path.name}.rows" for path in shard_paths(folder)}
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    for path in list(shards)[rank::size]:
        if not is_kept_of(shards[path], path):
            keep_rows(encode_clips(load_shard(path, names=HEARD_AND_READ), encoders), path, shards[path])
    while not all(is_kept_of(rows, path) for path, rows in shards.items()):
        time.sleep(POLL_S)
    clips = stacked({path: load_shard(path, without=HEARD_AND_READ) for path in shards})
    encoded = stacked({rows: kept_rows(rows) for rows in shards.values()})
    return ClipFeatures(clips=clips, **encoded)


@torch.inference_mode()
def encode_clips(clips: dict[str, Tensor], encoders: ClipEncoders) -> dict[str, Tensor]:
    """Rows of both sounds and of all captions, float16, by their names in `ClipFeatures`."""
    speak, listen, text = encoders.speak, encoders.listen, encoders.text
    speak_first = LEAD_FRAMES - speak.config.row_margin_frames
    listen_first = LEAD_FRAMES - LISTEN_HISTORY_ROWS * listen.config.frames_per_row - listen.config.row_margin_frames
    batches = []
    for start in range(0, len(clips["speak_S"]), ENCODE_BATCH):
        part = slice(start, start + ENCODE_BATCH)
        speak_BTD, listen_BTD = (
            encoder(clips[name][part].float() / 32767.0) for encoder, name in ((speak, "speak_S"), (listen, "listen_S"))
        )
        captions_BL = rearrange(clips["text_NL"][part], "b n l -> (b n) l").long()
        batches.append(
            {
                "speak_NAD": speak.stack(speak_BTD[:, speak_first:]).half(),
                "listen_NAD": listen.stack(listen_BTD[:, listen_first:]).half(),
                "text_NCLD": rearrange(text(captions_BL), "(b n) l d -> b n l d", n=clips["text_NL"].shape[1]).half(),
            }
        )
    return {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}


def keep_rows(rows: dict[str, Tensor], shard: Path, path: Path) -> None:
    """Write what was made from a shard, whole or not at all."""
    partial = path.with_suffix(f".partial-{os.getpid()}")
    save_file({name: tensor.contiguous() for name, tensor in rows.items()}, partial, {MADE_FROM: _stamp(shard)})
    partial.replace(path)


def is_kept_of(rows: Path, shard: Path) -> bool:
    """Whether rows are there, whole, and made from this very shard."""
    try:
        with safe_open(rows, framework="pt") as kept:
            return bool((kept.metadata() or {}).get(MADE_FROM) == _stamp(shard))
    except (OSError, SafetensorError):
        return False


def kept_rows(path: Path) -> dict[str, Tensor]:
    """What was made from a shard."""
    with safe_open(path, framework="pt") as kept:
        return {name: kept.get_tensor(name) for name in kept.keys()}  # noqa: SIM118 (it is no dictionary)


def _stamp(shard: Path) -> str:
    """What tells a shard from another of its name."""
    facts = shard.stat()
    return f"{facts.st_size} bytes of {facts.st_mtime_ns}"
