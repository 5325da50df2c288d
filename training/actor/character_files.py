"""A character folder from a seed: the procedural actor's references, drawn and written with their card.

Called by `lpm character new` (through `lpm actor character`) and by whoever makes the sample characters. All that it draws is synthetic.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from engine.character_writing import NewCharacter, NewReference, write_character
from engine.characters import Origin, ReferenceKind
from engine.errors import BadInputError
from engine.media.files_to_write import check_new_folder
from training.actor.identity import sample_identity
from training.actor.references import draw_references

DEFAULT_PX: Final = 384
_SIZES_PX: Final = (96, 1024)
_NAMES: Final = (
    "Ada", "Bela", "Cleo", "Dara", "Eli", "Fern", "Gus", "Hana", "Ivo", "Juno", "Kit", "Lena", "Milo", "Noa", "Otis", "Pia",
    "Quinn", "Remy", "Suri", "Tove", "Uma", "Vito", "Wren", "Xenia", "Yuki", "Zora",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm actor character`."""
    parser.add_argument("--seed", type=int, required=True, help="which character; the same seed is the same character")
    parser.add_argument("--name", help="what to call it (default: a name chosen by the seed)")
    parser.add_argument("--description", default="", help="a line about it")
    parser.add_argument(
        "--size", type=int, default=DEFAULT_PX, metavar="PX", help=f"side of the pictures (default {DEFAULT_PX})"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="the folder to write; it must be new"
    )


def run(options: argparse.Namespace) -> None:
    """Draws and writes one character and says so in a line; `BadInputError` for a value out of range."""
    if options.seed < 0:
        raise BadInputError(f"--seed {options.seed}: choose a number from 0 up")
    if not _SIZES_PX[0] <= options.size <= _SIZES_PX[1] or options.size % 2:
        raise BadInputError(f"--size {options.size}: choose an even number from {_SIZES_PX[0]} to {_SIZES_PX[1]}")
    check_new_folder(options.output)
    name = options.name or _NAMES[options.seed % len(_NAMES)]
    character = draw_character(options.seed, name, options.description, options.size)
    write_character(options.output, character)
    sys.stdout.write(f"{options.output}: {name}, {len(character.references)} pictures\n")


def draw_character(seed: int, name: str, description: str, size_px: int) -> NewCharacter:
    """The character of a seed with all its references, ready to be written."""
    pictures = draw_references(sample_identity(seed), size_px)
    references = []
    for key, picture_HWC in pictures.items():
        kind, _, subtype = key.partition("_")
        references.append(NewReference(kind=ReferenceKind(kind), subtype=subtype, picture_HWC=picture_HWC))
    return NewCharacter(
        name=name,
        description=description or f"A character of the procedural actor, seed {seed}.",
        origin=Origin.SYNTHETIC,
        consent=f"Drawn by the procedural actor from seed {seed}; shows no real person.",
        references=references,
    )
