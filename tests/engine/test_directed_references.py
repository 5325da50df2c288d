"""Which references a pack is shown: all it has room for, or those that the direction calls for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.called_expressions import called_expression
from engine.characters import Character, Reference, ReferenceKind
from engine.directed_references import DirectedReferences
from engine.errors import CharacterError
from engine.flow.preconditioning import anchor_latent
from engine.loaded_pack import LoadedPack, load_pack
from engine.locations import assets_dir
from tests.engine.small_pack import write_small_pack

NAMES = ("view left", "expression sad", "global ", "expression happy", "expression angry", "view rear")


@dataclass(frozen=True)
class WordCounts:
    """A text encoder that knows four words and nothing else."""

    num_tokens: int = 1
    words: tuple[str, ...] = ("sad", "happy", "angry", "afraid", "neutral", "surprised", "disgusted", "contemptuous")

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        return torch.tensor([[[float(text.count(word)) + 0.01 for word in self.words]] for text in texts])


def character(names: Sequence[str] = NAMES) -> Character:
    rng = np.random.default_rng(0)
    return Character(
        name="Maya",
        description="",
        references=tuple(
            Reference(
                kind=ReferenceKind(name.split(" ")[0]),
                subtype=name.split(" ")[1],
                picture_HWC=rng.integers(0, 255, (24, 24, 3), dtype=np.uint8),
                path=Path("x.png"),
            )
            for name in names
        ),
    )


@pytest.fixture
def pack(tmp_path: Path) -> LoadedPack:
    return replace(load_pack(write_small_pack(tmp_path / "pack")), text_encoder=WordCounts())  # type: ignore[arg-type]


def shown(references: DirectedReferences, text: str) -> list[str]:
    return [f"{each.kind} {each.subtype}" for each in references.chosen(text)]


def test_a_direction_brings_the_expressions_that_it_is_nearest_to(pack: LoadedPack) -> None:
    references = DirectedReferences(pack, character(), 3)
    assert shown(references, "is happy, a little sad, very happy") == ["global ", "expression happy", "expression sad"]
    assert shown(references, "angry")[:2] == ["global ", "expression angry"]
    assert shown(references, "") == ["global ", "expression sad", "expression happy"]


def test_a_pack_with_room_is_shown_everything(pack: LoadedPack) -> None:
    references = DirectedReferences(pack, character(), 13)
    assert (
        set(shown(references, "happy")) == set(shown(references, "angry")) == set(shown(references, "")) == set(NAMES)
    )
    assert references.latents("is happy") is references.latents("happy again")


def test_a_pack_that_starts_from_nothing_and_sees_everything_reads_no_direction_for_it(pack: LoadedPack) -> None:
    class Untouched:
        def encode(self, texts: Sequence[str]) -> torch.Tensor:
            raise AssertionError(f"{texts} need not be read")

    plain = replace(pack, base=replace(pack.base, preconditioning="identity"), text_encoder=Untouched())  # type: ignore[arg-type]
    references = DirectedReferences(plain, character(), 13)
    assert len(shown(references, "happy")) == len(NAMES)
    assert references.latents("happy") is references.latents("angry")
    with pytest.raises(AssertionError, match="need not be read"):
        DirectedReferences(plain, character(), 3).chosen("happy")


def test_latents_are_of_what_was_chosen_and_do_not_depend_on_what_was_shown_before(pack: LoadedPack) -> None:
    used, fresh = DirectedReferences(pack, character(), 2), DirectedReferences(pack, character(), 2)
    used.latents("angry")
    used.latents("sad")
    assert torch.equal(used.latents("happy").latents_BRCHW, fresh.latents("happy").latents_BRCHW)
    assert used.latents("happy").subtypes_BR.tolist() == [[0, 1]]
    assert not torch.equal(used.latents("happy").latents_BRCHW, used.latents("sad").latents_BRCHW)


@pytest.mark.parametrize(
    ("text", "anchor"),
    [
        ("happy", "expression happy"),
        ("happy, sad and angry", "expression happy"),  # of several the first
        ("afraid", None),
        ("", None),
        ("neutral", None),
        ("angry", "expression angry"),
    ],
)
def test_a_film_stays_near_the_expression_that_is_called_for_and_there(
    pack: LoadedPack, text: str, anchor: str | None
) -> None:
    for most in (2, 13):
        references = DirectedReferences(pack, character((*NAMES, "expression neutral")), most)
        anchor_B = references.latents(text).anchor_B
        assert (None if anchor_B is None else shown(references, text)[int(anchor_B)]) == anchor
        near = anchor_latent(references.latents(text))
        is_portrait = torch.equal(near, references.latents("").latents_BRCHW[:, 0])
        assert is_portrait == (anchor is None)


def test_without_a_global_picture_nobody_performs(pack: LoadedPack) -> None:
    with pytest.raises(CharacterError, match="no global reference"):
        DirectedReferences(pack, character(("view left", "expression happy")), 3)


@pytest.mark.parametrize(
    ("words", "expression"),
    [
        ("The person smiles brightly and looks delighted.", "happy"),
        ("is furious, turns the head left", "angry"),
        ("speaks calmly, then looks deeply sorrowful", "sad"),
        ("listens, astonished", "surprised"),
    ],
)
def test_the_shipped_pack_understands_plain_directions(words: str, expression: str) -> None:
    shipped = load_pack(assets_dir() / "models" / "lpm-tiny")
    names = ("global ", *(f"expression {name}" for name in ("neutral", "happy", "sad", "angry", "surprised", "afraid")))
    assert shown(DirectedReferences(shipped, character(names), 2), words) == ["global ", f"expression {expression}"]


def test_a_direction_calls_for_what_one_of_its_clauses_calls_for() -> None:
    encoder = WordCounts()
    plain = called_expression(encoder, "looks left")  # type: ignore[arg-type]
    assert plain.name is None and set(plain.nearness) == set(encoder.words)
    assert called_expression(encoder, "is neutral").name is None  # type: ignore[arg-type]
    assert called_expression(encoder, "sad happy angry afraid").name is None  # type: ignore[arg-type]
    for text in ("sad happy angry afraid, sad", "sad happy angry afraid then sad", "neutral; sad"):
        assert called_expression(encoder, text).name == "sad", text  # type: ignore[arg-type]


def test_a_direction_that_calls_for_nothing_is_neutral(pack: LoadedPack) -> None:
    references = DirectedReferences(pack, character(), 13)
    assert [references.feeling(text) for text in ("", "  ", "nods", "is happy", "afraid")] == [
        "neutral",
        "neutral",
        "neutral",
        "happy",
        "afraid",  # also where the character has no picture of it
    ]
