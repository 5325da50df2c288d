"""`lpm character`: list, show, make, check and import characters. Called by `studio/cli.py`."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from engine.character_writing import NewReference, imported_character, read_reference, write_character
from engine.characters import (
    CharacterCard,
    ReferenceKind,
    check_character,
    find_character,
    list_characters,
    load_character,
    read_card,
    subtypes,
)
from engine.errors import BadInputError
from engine.media.files_to_write import check_new_folder
from studio.commandline.console import counted, one_line, say
from studio.commandline.handover import hand_over


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm character`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="the characters at hand")
    show = actions.add_parser("show", help="what a character has")
    show.add_argument("name", metavar="NAME_OR_DIR")
    new = actions.add_parser("new", help="draw a new character of the procedural actor")
    new.add_argument("--seed", type=int, required=True, metavar="N", help="the same number is the same character")
    new.add_argument("--name", help="what to call it (default: chosen by the seed)")
    new.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="the folder to write; it must be new"
    )
    check = actions.add_parser("check", help="everything that is wrong with a character")
    check.add_argument("name", metavar="NAME_OR_DIR")
    bring = actions.add_parser("import", help="make a character from pictures of your own")
    bring.add_argument(
        "pictures",
        nargs="+",
        metavar="[KIND=]PICTURE",
        help="the first is the global picture; others as view-left=FILE, expression-happy=FILE",
    )
    bring.add_argument("--name", help="what to call it (default: the folder's name)")
    bring.add_argument("--consent", default="", metavar="TEXT", help="why this face may be used, e.g. 'a photo of me'")
    bring.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="the folder to write; it must be new"
    )


def run(options: argparse.Namespace) -> int:
    """Do the one action that was asked for."""
    actions = {"list": _list, "show": _show, "new": _new, "check": _check, "import": _import}
    return actions[options.action](options)


def _list(options: argparse.Namespace) -> int:
    del options
    cards = list_characters()
    if not cards:
        say("There is no character yet; make one with: lpm character new --seed 1 -o DIR")
    width = max((len(card.folder.name) for card in cards), default=0)
    for card in cards:
        say(f"{card.folder.name:<{width}}  {_summary(card)}  {one_line(card.description)}")
    return 0


def _summary(card: CharacterCard) -> str:
    counts = [
        sum(item.kind is kind for item in card.references) for kind in (ReferenceKind.VIEW, ReferenceKind.EXPRESSION)
    ]
    return f"{card.origin:<9}  {counted(counts[0], 'view'):<7}  {counted(counts[1], 'expression')}"


def _show(options: argparse.Namespace) -> int:
    folder = find_character(options.name)
    card, character = read_card(folder), load_character(folder)
    for label, value in (
        ("name", card.name),
        ("description", card.description),
        ("origin", card.origin),
        ("consent", card.consent),
        ("folder", str(folder.resolve())),
    ):
        say(f"{label:<12} {one_line(value) or '-'}")
    for reference in character.references:
        height_px, width_px = reference.picture_HWC.shape[:2]
        say(
            f"{reference.kind:<12} {reference.subtype or 'the character':<13} {width_px} x {height_px}  {reference.path.name}"
        )
    return 0


def _new(options: argparse.Namespace) -> int:
    named = ["--name", options.name] if options.name else []
    return hand_over(["actor", "character", "--seed", str(options.seed), "-o", str(options.output), *named])


def _check(options: argparse.Namespace) -> int:
    folder = find_character(options.name)
    problems = check_character(folder)
    for problem in problems:
        sys.stderr.write(f"lpm: {one_line(problem)}\n")
    if not problems:
        lacking = _lacking((item.kind, item.subtype) for item in read_card(folder).references)
        say(f"{folder}: this character {f'can perform; {lacking}' if lacking else 'is complete and can perform'}")
    return 1 if problems else 0


def _import(options: argparse.Namespace) -> int:
    check_new_folder(options.output)
    references = [_reference(text, is_first=number == 0) for number, text in enumerate(options.pictures)]
    name = options.name or options.output.resolve().name
    write_character(options.output, imported_character(name, options.consent, references))
    say(f"{options.output}: {name}, {counted(len(references), 'picture')}")
    lacking = _lacking((item.kind, item.subtype) for item in references)
    if lacking:
        say(lacking)
    return 0


def _lacking(pictures: Iterable[tuple[ReferenceKind, str]]) -> str:
    """What a character does without that has no expression pictures, or no views; empty for one that has some of both."""
    costs = {
        ReferenceKind.EXPRESSION: "no expression pictures: feelings will be drawn weaker",
        ReferenceKind.VIEW: "no views: it will not turn round",
    }
    added = {ReferenceKind.EXPRESSION: "expression-happy=PICTURE", ReferenceKind.VIEW: "view-rear=PICTURE"}
    present = {kind for kind, subtype in pictures if (kind, subtype) != (ReferenceKind.VIEW, "front")}
    lacking = [kind for kind in costs if kind not in present]
    if not lacking:
        return ""
    options = " ".join(added[kind] for kind in lacking)
    told = "; ".join(costs[kind] for kind in lacking)
    return f"{told}; add them with: lpm character import PICTURE {options} ... -o NEW_DIR"


def _reference(text: str, *, is_first: bool) -> NewReference:
    """`FILE`, `global=FILE`, `view-left=FILE` or `expression-happy=FILE`."""
    label, separator, file = text.partition("=")
    if not separator or Path(text).exists():
        if not is_first:
            raise BadInputError(f"{text}: say what it shows, as in view-left={text} or expression-happy={text}")
        label, file = "global", text
    kind, _, subtype = label.partition("-")
    if kind not in list(ReferenceKind) or subtype not in subtypes(ReferenceKind(kind)):
        choices = ", ".join(
            ["global", *(f"{k}-{s}" for k in ("view", "expression") for s in subtypes(ReferenceKind(k)))]
        )
        raise BadInputError(f"{label}: no such kind of picture; use one of {choices}")
    return read_reference(Path(file), ReferenceKind(kind), subtype)
