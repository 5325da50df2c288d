"""Which of a character's references a pack is shown, their latents, and which of them a film stays near.

A pack that was trained with many references is shown all of them. One that was trained with few is shown the global picture and
those expressions that the direction is nearest to in meaning: told to smile, it sees how this character smiles. Meaning is what the
pack's own text encoder makes of the direction and of the expressions' names. The expression that a direction calls for, where the
character has it and it is not the neutral one, is the anchor of packs that start from a reference (`engine.flow.preconditioning`).
Called by whoever performs, offline or live.
"""

from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from engine.called_expressions import NEUTRAL, CalledExpression, called_expression
from engine.called_views import called_view, is_told_to_turn, view_among
from engine.characters import Character, Reference, ReferenceKind
from engine.errors import CharacterError
from engine.loaded_pack import LoadedPack
from engine.pixels import as_pixels
from engine.posing.anchor_picture import AnchorPicture
from engine.posing.turning import FACING, VIEW_TURNS, TurnGoal, goal_of
from engine.references import ReferenceLatents

KIND_ORDER: Final = (ReferenceKind.GLOBAL, ReferenceKind.EXPRESSION, ReferenceKind.VIEW)


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """Places in the ordered references, and which of these is the film's anchor."""

    places: tuple[int, ...]
    anchor: int | None = None


class DirectedReferences:
    """A character's references for a pack, as directions call for them; pictures are encoded when first shown, and kept."""

    def __init__(self, pack: LoadedPack, character: Character, most: int) -> None:
        """At most `most` are shown at a time; `CharacterError` without a global reference."""
        if ReferenceKind.GLOBAL not in {reference.kind for reference in character.references}:
            raise CharacterError(f"{character.name} has no global reference picture; add one to its character.toml")
        self._pack, self._most = pack, most
        self._ordered = sorted(character.references, key=lambda reference: KIND_ORDER.index(reference.kind))
        self._choices: dict[str, _Choice] = {}
        self._last_called: tuple[str, CalledExpression] | None = None
        self._latents_1CHW: dict[int, Tensor] = {}
        self._shown: dict[_Choice, ReferenceLatents] = {}
        self._anchor_pictures: dict[int, AnchorPicture] = {}
        self._views: dict[str, Tensor] | None = None

    @property
    def device(self) -> torch.device:
        """Where the latents are."""
        return self._pack.device

    def chosen(self, text: str) -> tuple[Reference, ...]:
        """What is shown under a direction, the global picture first; without words the first expressions of the card."""
        return tuple(self._ordered[place] for place in self._choice(text).places)

    def latents(self, text: str) -> ReferenceLatents:
        """The same as latents, batch of one; the same object for directions that call for the same pictures."""
        choice = self._choice(text)
        if choice not in self._shown:
            latents_RCHW = torch.cat([self._encoded(place) for place in choice.places])
            names = [(str(reference.kind), reference.subtype) for reference in self.chosen(text)]
            shown = ReferenceLatents.of_names(latents_RCHW, names, anchor=choice.anchor)
            if self._pack.posing is not None:
                shown = replace(shown, anchor_picture=self._anchor_picture(choice.places[choice.anchor or 0]))
            self._shown[choice] = shown
        return self._shown[choice]

    def feeling(self, text: str) -> str:
        """The expression that a direction calls for; the neutral one where it calls for none."""
        return (self._called(text).name or NEUTRAL) if text.strip() else NEUTRAL

    def turn(self, text: str) -> TurnGoal:
        """How far round a direction turns the character: not at all where there is no picture of what it would show."""
        views = self._view_places
        return goal_of(view_among(called_view(text), views), views) if self._can_turn else FACING

    def first_turn(self, text: str) -> TurnGoal:
        """How far round a character has turned already where a film begins with a direction."""
        return FACING if is_told_to_turn(text) else self.turn(text)

    @property
    def _can_turn(self) -> bool:
        """Whether the pack tells a character from its wall: what turns before it would take it along."""
        return self._pack.posing is not None and self._pack.matte is not None

    @property
    def _view_places(self) -> dict[str, int]:
        """The places of the pictures from other sides than the front, by their names."""
        return {
            reference.subtype: place
            for place, reference in enumerate(self._ordered)
            if reference.kind is ReferenceKind.VIEW and reference.subtype in VIEW_TURNS
        }

    def _called(self, text: str) -> CalledExpression:
        if self._last_called is None or self._last_called[0] != text:
            self._last_called = (text, called_expression(self._pack.text_encoder, text))
        return self._last_called[1]

    def _choice(self, text: str) -> _Choice:
        if text not in self._choices:
            self._choices = {
                text: self._choose(text)
            }  # a film has any number of directions: only the last is remembered
        return self._choices[text]

    def _choose(self, text: str) -> _Choice:
        everywhere = range(len(self._ordered))
        expressions = [place for place in everywhere if self._ordered[place].kind is ReferenceKind.EXPRESSION]
        if not expressions or not text.strip() or not self._is_choice_wanted:
            return _Choice(places=tuple(everywhere)[: self._most])
        called = self._called(text)
        subtypes = {place: self._ordered[place].subtype for place in expressions}
        expressions.sort(key=lambda place: (subtypes[place] != called.name, -called.nearness[subtypes[place]]))
        others = [place for place in everywhere if place not in expressions]
        places = (others[0], *expressions, *others[1:])[: self._most]
        is_called = called.name == self._ordered[expressions[0]].subtype
        has_anchor = is_called and expressions[0] in places
        return _Choice(places=places, anchor=places.index(expressions[0]) if has_anchor else None)

    @property
    def _is_choice_wanted(self) -> bool:
        """Whether a direction makes a difference: a large text encoder is not asked for nothing."""
        return len(self._ordered) > self._most or self._pack.base.preconditioning != "identity"

    @torch.no_grad()
    def _encoded(self, place: int) -> Tensor:
        """A reference's latent [1, C, h, w], always encoded by itself, so that it never depends on what else is shown."""
        if place not in self._latents_1CHW:
            self._latents_1CHW[place] = self._pack.codec.encode_still(self._pixels(place)).float()
        return self._latents_1CHW[place]

    def _anchor_picture(self, place: int) -> AnchorPicture:
        """A reference as large as films are shown, and what it shows: the same object each time, so that it is looked at once."""
        if place not in self._anchor_pictures:
            self._anchor_pictures[place] = self._new_anchor_picture(place)
        return self._anchor_pictures[place]

    def _new_anchor_picture(self, place: int) -> AnchorPicture:
        reference, motion = self._ordered[place], self._pack.motion
        assert motion is not None, "a pack that poses its anchor has a motion model"
        is_expression = reference.kind is ReferenceKind.EXPRESSION
        return AnchorPicture(
            pixels_BCHW=as_pixels(reference.picture_HWC, self._pack.film_px).to(self.device),
            row_BM=motion.showing(reference.subtype if is_expression else NEUTRAL),
            views=self._view_pictures() if self._can_turn else {},
        )

    def _view_pictures(self) -> dict[str, Tensor]:
        """The character from other sides, as large as films are shown; the same pictures for all its anchors."""
        if self._views is None:
            self._views = {
                view: as_pixels(self._ordered[place].picture_HWC, self._pack.film_px).to(self.device)
                for view, place in self._view_places.items()
            }
        return self._views

    def _pixels(self, place: int) -> Tensor:
        return as_pixels(self._ordered[place].picture_HWC, self._pack.size_px).to(self.device)
