"""Names of public checkpoints to ours: a place in their network to a place in ours, and what stands there by a table."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from engine.interop.layout import Shapes

WEIGHT_AND_BIAS: Final = ("weight", "bias")


@dataclass(frozen=True)
class Place:
    """Part of a network: `theirs` is a pattern for its name, `ours` the name with the pattern's groups, `inner` what is in it."""

    theirs: str
    ours: str
    inner: Mapping[str, str]


def both(theirs: str, ours: str) -> dict[str, str]:
    """Weight and bias of one layer."""
    return {f"{theirs}.{part}": f"{ours}.{part}" for part in WEIGHT_AND_BIAS}


def rename(source_name: str, places: tuple[Place, ...]) -> str:
    """Our name; `KeyError` for a name that no place has."""
    for place in places:
        match = re.match(f"{place.theirs}\\.", source_name)
        if match and (inner := place.inner.get(source_name[match.end() :])):
            return f"{match.expand(place.ours)}.{inner}"
    raise KeyError(source_name)


def our_shapes(shapes: Shapes, target_name: Callable[[str], str | None]) -> dict[str, tuple[int, ...]]:
    """The shapes under our names; names that the layout drops or does not know are left out."""
    found = {}
    for name, shape in shapes.items():
        try:
            target = target_name(name)
        except KeyError:
            continue
        if target is not None:
            found[target] = tuple(shape)
    return found
