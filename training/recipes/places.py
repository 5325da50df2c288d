"""Where a run finds what earlier runs made."""

from dataclasses import dataclass, replace
from pathlib import Path

from engine.locations import assets_dir

DEFAULT_PARTS = assets_dir() / "models" / "lpm-tiny"
DEFAULT_CLIPS = Path("runs") / "clips"


@dataclass(frozen=True, kw_only=True)
class Places:
    """`parts` holds trained components as safetensors (a pack, say); `clips` the shards of encoded clips.

    num_films: films of the teacher that distillation learns from. num_scenes: scenes whose candidates are judged for DPO. Both are
    made beside the clips as far as they are missing.
    """

    parts: Path = DEFAULT_PARTS
    clips: Path = DEFAULT_CLIPS
    num_films: int = 384
    num_scenes: int = 1024


def with_num_films(places: Places, num_films: int) -> Places:
    """The places with another number of films of the teacher."""
    return replace(places, num_films=num_films)


def with_num_scenes(places: Places, num_scenes: int) -> Places:
    """The places with another number of scenes."""
    return replace(places, num_scenes=num_scenes)
