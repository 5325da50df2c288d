"""Which of a character's references a pack is shown, and their latents.

A pack that was trained with many references is shown all of them. One that was trained with few is shown the global picture and
those expressions that the direction is nearest to in meaning: told to smile, it sees how this character smiles. Meaning is what the
pack's own text encoder makes of the direction and of the expressions' names. Called by whoever performs, offline or live.
"""

import torch
from torch import Tensor
from torch.nn import functional

from engine.characters import Character, Reference, ReferenceKind
from engine.errors import CharacterError
from engine.loaded_pack import LoadedPack
from engine.pixels import as_pixels
from engine.references import ReferenceLatents

KIND_ORDER = (ReferenceKind.GLOBAL, ReferenceKind.EXPRESSION, ReferenceKind.VIEW)


class DirectedReferences:
    """A character's references for a pack, as directions call for them; pictures are encoded when first shown, and kept."""

    def __init__(self, pack: LoadedPack, character: Character, most: int) -> None:
        """At most `most` are shown at a time; `CharacterError` without a global reference."""
        if ReferenceKind.GLOBAL not in {reference.kind for reference in character.references}:
            raise CharacterError(f"{character.name} has no global reference picture; add one to its character.toml")
        self._pack, self._most = pack, most
        self._ordered = sorted(character.references, key=lambda reference: KIND_ORDER.index(reference.kind))
        self._chosen: dict[str, tuple[int, ...]] = {}
        self._latents_1CHW: dict[int, Tensor] = {}
        self._shown: dict[tuple[int, ...], ReferenceLatents] = {}

    def chosen(self, text: str) -> tuple[Reference, ...]:
        """What is shown under a direction, the global picture first; without words the first expressions of the card."""
        return tuple(self._ordered[place] for place in self._places(text))

    def latents(self, text: str) -> ReferenceLatents:
        """The same as latents, batch of one; the same object for directions that call for the same pictures."""
        places = self._places(text)
        if places not in self._shown:
            latents_RCHW = torch.cat([self._encoded(place) for place in places])
            names = [(str(reference.kind), reference.subtype) for reference in self.chosen(text)]
            self._shown[places] = ReferenceLatents.of_names(latents_RCHW, names)
        return self._shown[places]

    def _places(self, text: str) -> tuple[int, ...]:
        if text not in self._chosen:
            self._chosen = {
                text: self._choose(text)
            }  # a film has any number of directions: only the last is remembered
        return self._chosen[text]

    def _choose(self, text: str) -> tuple[int, ...]:
        everywhere = tuple(range(len(self._ordered)))
        expressions = [place for place in everywhere if self._ordered[place].kind is ReferenceKind.EXPRESSION]
        others = [place for place in everywhere if place not in expressions]
        if len(everywhere) <= self._most or not expressions or not text.strip():
            return everywhere[: self._most]
        names = [self._ordered[place].subtype for place in expressions]
        nearness = self._nearness(text, names)
        ranked = sorted(expressions, key=lambda place: -nearness[expressions.index(place)])
        return (others[0], *ranked, *others[1:])[: self._most]

    @torch.no_grad()
    def _nearness(self, text: str, names: list[str]) -> list[float]:
        """How near in meaning a direction is to each of these names, as the cosine of their mean rows."""
        rows_BSD = self._pack.text_encoder.encode([text, *names]).float()
        direction_D, *meanings_D = rows_BSD.mean(dim=1)
        return [float(functional.cosine_similarity(direction_D, meaning_D, dim=0)) for meaning_D in meanings_D]

    @torch.no_grad()
    def _encoded(self, place: int) -> Tensor:
        """A reference's latent [1, C, h, w], always encoded by itself, so that it never depends on what else is shown."""
        if place not in self._latents_1CHW:
            device = next(self._pack.transformer.parameters()).device
            pixels_1CHW = as_pixels(self._ordered[place].picture_HWC, self._pack.size_px)
            self._latents_1CHW[place] = self._pack.codec.encode_still(pixels_1CHW.to(device)).float()
        return self._latents_1CHW[place]
