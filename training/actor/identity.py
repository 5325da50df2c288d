"""Who the actor is: every trait of a character, drawn from a seed.

Called by the drawing, by data generation and by the benchmark (as the true identity). Knows nothing of the performance.
"""

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.actor.drawing import palette
from training.actor.drawing.manner import OWN_MANNER, Manner
from training.actor.drawing.palette import Colour

HAIR_STYLES: Final = (
    "bald",
    "crop",
    "side_part",
    "quiff",
    "bob",
    "long",
    "wavy",
    "curly",
    "bun",
    "ponytail",
    "pigtails",
    "pixie",
)
BEARDS: Final = ("none", "stubble", "full", "goatee", "moustache")
GLASSES: Final = ("none", "round", "square")
HATS: Final = ("none", "beanie", "cap", "headband")
EARRINGS: Final = ("none", "stud", "hoop")
CLOTHES: Final = ("crew", "v_neck", "hoodie", "shirt", "turtleneck", "jacket")
PRINTS: Final = ("star", "heart", "stripes", "circle", "bolt")
BACKDROPS: Final = ("plain", "disc", "hill", "two_discs")
BROW_SHAPES: Final = ("straight", "arched", "rounded")
NOSES: Final = ("button", "long", "wide")
LEAST_EYE_SIZE: Final = 0.88


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One character. Plain ratios are around 1 or 0..1; lengths are in head units (half the skull's height)."""

    seed: int
    head_width: float  # half width of the face
    jaw_width: float
    chin_width: float
    cheek_fullness: float
    head_height: float  # share of the picture's height, chin to crown
    body_width: float
    neck_width: float
    skin: Colour
    hair_style: str
    hair_volume: float
    fringe: float
    parting: float  # -1 or 1, which side
    hair: Colour
    eye_colour: Colour
    eye_size: float
    eye_spacing: float
    eye_tilt: float
    lashes: float
    brow_shape: str
    brow_thickness: float
    brow: Colour
    nose: str
    nose_size: float
    ear_size: float
    lip_fullness: float
    mouth_width: float
    lip: Colour
    tooth_gap: float
    tooth_length: float
    tooth_scallop: float
    dimples: float
    wrinkles: float
    freckles: float
    blush: float
    beard: str
    beard_colour: Colour
    glasses: str
    frame: Colour
    hat: str
    hat_colour: Colour
    earrings: str
    metal: Colour
    clothes: str
    cloth: Colour
    accent: Colour
    back_print: str
    backdrop: str
    backdrop_colour: Colour
    backdrop_second: Colour
    backdrop_side: float
    manner: Manner = OWN_MANNER

    @property
    def plain_colours(self) -> tuple[Colour, ...]:
        """The colours of all that is drawn of a character, without light and shadow."""
        own = (self.skin, self.hair, self.brow, self.lip, self.eye_colour, self.cloth, self.accent)
        worn = (self.beard_colour, self.hat_colour, self.frame, self.metal)
        return own + worn + (palette.INK, palette.WHITE, palette.MOUTH_INSIDE, palette.TONGUE)


_CHOICES: Final = {
    "hair_style": HAIR_STYLES,
    "brow_shape": BROW_SHAPES,
    "nose": NOSES,
    "beard": BEARDS,
    "glasses": GLASSES,
    "hat": HATS,
    "earrings": EARRINGS,
    "clothes": CLOTHES,
    "back_print": PRINTS,
    "backdrop": BACKDROPS,
}
_NOT_TRAITS: Final = ("seed", "manner")
_EAR_HIDING_HAIR: Final = ("bob", "long", "wavy")
_BEARDLESS_HAIR: Final = ("bob", "pigtails")
_HAT_HAIR: Final = ("bald", "crop", "side_part", "bob", "long", "wavy", "ponytail", "pigtails", "pixie")


class _Dice:
    """The random choices of one character."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng((seed, 0xAC70))

    def within(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def side(self) -> float:
        return 1.0 if self.chance(0.5) else -1.0

    def pick(self, choices: tuple[str, ...], *weights: float) -> str:
        shares = np.array(weights) / sum(weights) if weights else None
        return str(self.random.choice(np.array(choices), p=shares))

    def colour(self, choices: tuple[Colour, ...]) -> Colour:
        return choices[int(self.random.integers(len(choices)))]


@dataclass(frozen=True, kw_only=True)
class _Cast:
    """What several traits depend on, decided first."""

    age: float
    softness: float  # from angular to soft features; no trait follows it strictly
    skin: Colour
    hair: Colour
    hair_style: str
    hat: str
    scene: tuple[Colour, ...]
    beard: str


@lru_cache(maxsize=4096)
def sample_identity(seed: int) -> Identity:
    """The character of a seed: the same each time, well spread over all traits."""
    dice = _Dice(seed)
    cast = _cast(dice)
    return Identity(seed=seed, **_build(dice, cast), **_face(dice, cast), **_mouth(dice, cast), **_outfit(dice, cast))


def _cast(dice: _Dice) -> _Cast:
    age, softness = dice.within(0.0, 1.0), dice.within(0.0, 1.0)
    skin = _skin(dice)
    hair = _hair_colour(dice, age, skin)
    hair_style = dice.pick(HAIR_STYLES, 0.6, 1, 1.2, 1, 1.1, 1.1, 1.1, 1.1, 0.9, 0.9, 0.7, 1)
    hat = dice.pick(HATS, 5, 0.6, 0.6, 0.5) if hair_style in _HAT_HAIR else "none"
    scene = _scene(dice, skin, hair)
    has_beard = dice.chance(0.62 - 0.5 * softness) and hair_style not in _BEARDLESS_HAIR
    return _Cast(
        age=age,
        softness=softness,
        skin=skin,
        hair=hair,
        hair_style=hair_style,
        hat=hat,
        scene=scene,
        beard=dice.pick(BEARDS[1:], 1, 1, 0.8, 0.8) if has_beard else "none",
    )


def _build(dice: _Dice, cast: _Cast) -> dict[str, Any]:
    """Head, body, skin and hair."""
    return {
        "head_width": dice.within(0.74, 0.86),
        "jaw_width": dice.within(0.6, 0.78) - 0.08 * cast.softness,
        "chin_width": dice.within(0.2, 0.36) - 0.05 * cast.softness,
        "cheek_fullness": dice.within(0.0, 1.0),
        "head_height": dice.within(0.55, 0.66),
        "body_width": dice.within(0.85, 1.15) - 0.06 * cast.softness,
        "neck_width": dice.within(0.33, 0.45) - 0.05 * cast.softness,
        "skin": cast.skin,
        "hair_style": cast.hair_style,
        "hair_volume": dice.within(0.0, 1.0),
        "fringe": dice.within(0.0, 1.0),
        "parting": dice.side(),
        "hair": cast.hair,
    }


def _face(dice: _Dice, cast: _Cast) -> dict[str, Any]:
    """Eyes, brows, nose and ears."""
    return {
        "eye_colour": _eye_colour(dice, cast.skin),
        "eye_size": dice.within(LEAST_EYE_SIZE, 1.1),
        "eye_spacing": dice.within(0.94, 1.06),
        "eye_tilt": dice.within(-0.6, 1.0),
        "lashes": min(1.0, max(0.0, dice.within(-0.4, 0.9) + 0.4 * cast.softness)),
        "brow_shape": dice.pick(BROW_SHAPES),
        "brow_thickness": dice.within(0.75, 1.35) - 0.2 * cast.softness,
        "brow": _apart(palette.deepen(cast.hair, 0.25), cast.skin, 0.26),
        "nose": dice.pick(NOSES),
        "nose_size": dice.within(0.85, 1.2),
        "ear_size": dice.within(0.85, 1.2),
    }


def _mouth(dice: _Dice, cast: _Cast) -> dict[str, Any]:
    """Lips, teeth, what lies in the skin, and the beard."""
    is_natural = cast.hair in palette.HAIRS[: -palette.NUM_DYED_HAIRS]
    beard_colour = palette.deepen(cast.hair if is_natural else palette.HAIRS[2], 0.1)
    return {
        "lip_fullness": dice.within(0.55, 1.15) + 0.2 * cast.softness,
        "mouth_width": dice.within(0.92, 1.08),
        "lip": _lip_colour(dice, cast.skin, cast.softness),
        "tooth_gap": _sometimes(dice, 0.25),
        "tooth_length": dice.within(0.7, 1.25),
        "tooth_scallop": dice.within(0.0, 1.0),
        "dimples": _sometimes(dice, 0.35),
        "wrinkles": max(0.0, (cast.age - 0.55) / 0.45),
        "freckles": _sometimes(dice, 0.25),
        "blush": dice.within(0.3, 1.0),
        "beard": cast.beard,
        "beard_colour": _apart(beard_colour, cast.skin, 0.16),
    }


def _outfit(dice: _Dice, cast: _Cast) -> dict[str, Any]:
    """Glasses, hat, jewellery, clothes and the backdrop."""
    backdrop, second, cloth, accent = cast.scene
    return {
        "glasses": dice.pick(GLASSES, 3, 0.6, 0.6),
        "frame": _colour_apart(dice, palette.FRAMES, cast.skin, 0.2),
        "hat": cast.hat,
        "hat_colour": accent if palette.contrast(accent, backdrop) > 0.16 else cloth,
        "earrings": dice.pick(EARRINGS, 2.2, 0.8, 0.6),
        "metal": dice.colour(palette.METALS),
        "clothes": dice.pick(CLOTHES),
        "cloth": cloth,
        "accent": accent,
        "back_print": dice.pick(PRINTS),
        "backdrop": dice.pick(BACKDROPS, 1, 1.2, 1, 1),
        "backdrop_colour": backdrop,
        "backdrop_second": second,
        "backdrop_side": dice.side(),
    }


def sibling(identity: Identity, seed: int) -> Identity:
    """Someone who differs from `identity` in exactly one trait that can be seen; the seed chooses which one and how."""
    random = np.random.default_rng((seed, identity.seed, 0x51B))
    names = [field.name for field in fields(Identity) if _shows(identity, field.name)]
    for _ in range(200):
        name = str(random.choice(names))
        other = getattr(sample_identity(int(random.integers(1 << 31))), name)
        mine = getattr(identity, name)
        is_far = abs(other - mine) > 0.08 if isinstance(mine, float) else other != mine
        if is_far and (name != "hair_style" or identity.hat == "none" or other in _HAT_HAIR):
            return replace(identity, **{name: other}, seed=seed)
    raise AssertionError(f"no trait of identity {identity.seed} could be changed")


def _shows(identity: Identity, trait: str) -> bool:
    """Whether a change of this trait alone would be seen in some view or expression."""
    needed = {
        "frame": identity.glasses != "none",
        "metal": identity.earrings != "none" and identity.hair_style not in _EAR_HIDING_HAIR,
        "earrings": identity.hair_style not in _EAR_HIDING_HAIR,
        "ear_size": identity.hair_style not in _EAR_HIDING_HAIR,
        "beard_colour": identity.beard != "none",
        "hat": identity.hair_style in _HAT_HAIR,
        "hat_colour": identity.hat != "none",
        "hair": identity.hair_style != "bald",
        "hair_volume": identity.hair_style != "bald" and identity.hat == "none",
        "parting": identity.hair_style in ("side_part", "wavy", "quiff", "ponytail"),
        "fringe": identity.hair_style in ("bob", "pixie", "crop", "bun"),
    }
    return needed.get(trait, trait not in _NOT_TRAITS and not trait.startswith("backdrop"))


def identity_vector(identity: Identity) -> NDArray[np.float32]:
    """All traits as numbers: ratios as they are, colours 0..1, choices one-hot; the length is the same for everyone."""
    numbers: list[float] = []
    for field in fields(identity):
        value = getattr(identity, field.name)
        if field.name in _NOT_TRAITS:
            continue
        if isinstance(value, str):
            numbers.extend(float(value == choice) for choice in _CHOICES[field.name])
        elif isinstance(value, tuple):
            numbers.extend(part / 255.0 for part in value)
        else:
            numbers.append(float(value))
    return np.array(numbers, dtype=np.float32)


def _sometimes(dice: _Dice, share: float) -> float:
    """A clear amount for a share of all characters, nothing for the others."""
    return dice.within(0.5, 1.0) if dice.chance(share) else 0.0


def _skin(dice: _Dice) -> Colour:
    place = dice.within(0.0, len(palette.SKINS) - 1.001)
    base = palette.blend(palette.SKINS[int(place)], palette.SKINS[int(place) + 1], place % 1.0)
    undertone = dice.within(-1.0, 1.0)
    tint = palette.colour_of("#f2a25c") if undertone > 0 else palette.colour_of("#e58a8e")
    return palette.blend(base, tint, 0.12 * abs(undertone))


def _hair_colour(dice: _Dice, age: float, skin: Colour) -> Colour:
    if age > 0.75 and dice.chance(0.6):
        chosen = int(dice.random.choice(palette.GREY_HAIRS))
    elif dice.chance(0.1):
        chosen = int(dice.random.integers(len(palette.HAIRS) - palette.NUM_DYED_HAIRS, len(palette.HAIRS)))
    else:
        num_likely = palette.NUM_NATURAL_HAIRS if palette.luminance(skin) > 0.6 else 5
        chosen = int(dice.random.integers(num_likely))
    return _apart(palette.HAIRS[chosen], skin, 0.17)


def _eye_colour(dice: _Dice, skin: Colour) -> Colour:
    num_likely = len(palette.EYES) if palette.luminance(skin) > 0.55 or dice.chance(0.2) else 3
    return dice.colour(palette.EYES[:num_likely])


def _lip_colour(dice: _Dice, skin: Colour, softness: float) -> Colour:
    hue = dice.colour(palette.LIPS)
    natural = palette.shade(palette.blend(skin, hue, 0.55), 0.1)
    return palette.blend(natural, hue, dice.within(0.0, 0.8) * softness)


def _apart(colour: Colour, other: Colour, least: float) -> Colour:
    """The colour, darkened or lightened until it stands out against the other one."""
    goes_dark = palette.luminance(other) > 0.3
    for _ in range(12):
        if palette.contrast(colour, other) >= least:
            break
        colour = palette.deepen(colour, 0.16) if goes_dark else palette.light(colour, 0.12)
    return colour


def _colour_apart(dice: _Dice, choices: tuple[Colour, ...], other: Colour, least: float) -> Colour:
    fitting = [choice for choice in choices if palette.contrast(choice, other) >= least] or list(choices)
    return dice.colour(tuple(fitting))


def _scene(dice: _Dice, skin: Colour, hair: Colour) -> tuple[Colour, ...]:
    """Background, its second tone, clothes and accent: of a few palettes the one that sets off this head best."""
    candidates = dice.random.permutation(len(palette.SCENES))[:5]

    def quality(index: int) -> float:
        scene = palette.SCENES[index]
        against_skin, against_hair = palette.contrast(scene[0], skin), palette.contrast(scene[0], hair)
        return min(against_skin, 0.2) + min(against_hair, 0.25) + 0.5 * min(palette.contrast(scene[2], skin), 0.2)

    return palette.SCENES[max((int(index) for index in candidates), key=quality)]
