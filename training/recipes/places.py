"""Where a run finds what earlier runs made."""

from dataclasses import dataclass
from pathlib import Path

from engine.locations import assets_dir

DEFAULT_PARTS = assets_dir() / "models" / "lpm-tiny"
DEFAULT_CLIPS = Path("runs") / "clips"


@dataclass(frozen=True, kw_only=True)
class Places:
    """`parts` holds trained components as safetensors (a pack, say); `clips` the shards of encoded clips."""

    parts: Path = DEFAULT_PARTS
    clips: Path = DEFAULT_CLIPS
