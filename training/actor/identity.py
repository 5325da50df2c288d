"""Who the actor is: every trait of a character, drawn from a seed.

Called by the drawing, by data generation and by the benchmark (as the true identity). Knows nothing of the performance.
"""

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.drawing import palette
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
_NOT_TRAITS: Final = ("seed",)
_BEARDLESS_HAIR: Final = ("bob", "pigtails")
_HAT_HAIR: Final = ("bald", "crop", "side_part", "bob", "long", "wavy", "ponytail", "pigtails", "pixie")


@lru_cache(maxsize=4096)
def sample_identity(seed: int) -> Identity:
    """The character of a seed: the same each time, well spread over all traits."""
    random = np.random.default_rng((seed, 0xAC70))

    def within(low: float, high: float) -> float:
        return float(random.uniform(low, high))

    def chance(share: float) -> bool:
        return bool(random.random() < share)

    def pick(choices: tuple[str, ...], *weights: float) -> str:
        shares = np.array(weights) / sum(weights) if weights else None
        return str(random.choice(np.array(choices), p=shares))

    age = within(0.0, 1.0)
    softness = within(0.0, 1.0)  # from angular to soft features; no trait follows it strictly
    skin = _skin(random)
    hair = _hair_colour(random, age, skin)
    hair_style = pick(HAIR_STYLES, 0.6, 1, 1.2, 1, 1.1, 1.1, 1.1, 1.1, 0.9, 0.9, 0.7, 1)
    hat = pick(HATS, 5, 0.6, 0.6, 0.5) if hair_style in _HAT_HAIR else "none"
    scene = _scene(random, skin, hair)
    beard = "none"
    if chance(0.62 - 0.5 * softness) and hair_style not in _BEARDLESS_HAIR:
        beard = pick(BEARDS[1:], 1, 1, 0.8, 0.8)
    beard_colour = _apart(
        palette.deepen(hair if hair in palette.HAIRS[: len(palette.HAIRS) - 4] else palette.HAIRS[2], 0.1), skin, 0.16
    )
    return Identity(
        seed=seed,
        head_width=within(0.74, 0.86),
        jaw_width=within(0.6, 0.78) - 0.08 * softness,
        chin_width=within(0.2, 0.36) - 0.05 * softness,
        cheek_fullness=within(0.0, 1.0),
        head_height=within(0.55, 0.66),
        body_width=within(0.85, 1.15) - 0.06 * softness,
        neck_width=within(0.33, 0.45) - 0.05 * softness,
        skin=skin,
        hair_style=hair_style,
        hair_volume=within(0.0, 1.0),
        fringe=within(0.0, 1.0),
        parting=1.0 if chance(0.5) else -1.0,
        hair=hair,
        eye_colour=_eye_colour(random, skin),
        eye_size=within(0.88, 1.1),
        eye_spacing=within(0.94, 1.06),
        eye_tilt=within(-0.6, 1.0),
        lashes=min(1.0, max(0.0, within(-0.4, 0.9) + 0.4 * softness)),
        brow_shape=pick(BROW_SHAPES),
        brow_thickness=within(0.75, 1.35) - 0.2 * softness,
        brow=_apart(palette.deepen(hair, 0.25), skin, 0.26),
        nose=pick(NOSES),
        nose_size=within(0.85, 1.2),
        ear_size=within(0.85, 1.2),
        lip_fullness=within(0.55, 1.15) + 0.2 * softness,
        mouth_width=within(0.92, 1.08),
        lip=_lip_colour(random, skin, softness),
        tooth_gap=within(0.5, 1.0) if chance(0.25) else 0.0,
        tooth_length=within(0.7, 1.25),
        tooth_scallop=within(0.0, 1.0),
        dimples=within(0.5, 1.0) if chance(0.35) else 0.0,
        wrinkles=max(0.0, (age - 0.55) / 0.45),
        freckles=within(0.5, 1.0) if chance(0.25) else 0.0,
        blush=within(0.3, 1.0),
        beard=beard,
        beard_colour=beard_colour,
        glasses=pick(GLASSES, 3, 0.6, 0.6),
        frame=_pick_apart(random, palette.FRAMES, skin, 0.2),
        hat=hat,
        hat_colour=scene[3] if palette.contrast(scene[3], scene[0]) > 0.16 else scene[2],
        earrings=pick(EARRINGS, 2.2, 0.8, 0.6),
        metal=palette.METALS[int(random.integers(len(palette.METALS)))],
        clothes=pick(CLOTHES),
        cloth=scene[2],
        accent=scene[3],
        back_print=pick(PRINTS),
        backdrop=pick(BACKDROPS, 1, 1.2, 1, 1),
        backdrop_colour=scene[0],
        backdrop_second=scene[1],
        backdrop_side=1.0 if chance(0.5) else -1.0,
    )


def sibling(identity: Identity, seed: int) -> Identity:
    """Someone who differs from `identity` in exactly one visible trait; the seed chooses which one and how."""
    random = np.random.default_rng((seed, identity.seed, 0x51B))
    names = [field.name for field in fields(Identity) if field.name not in (*_NOT_TRAITS, "beard_colour", "brow")]
    for _ in range(200):
        name = str(random.choice(names))
        other = getattr(sample_identity(int(random.integers(1 << 31))), name)
        mine = getattr(identity, name)
        is_far = abs(other - mine) > 0.08 if isinstance(mine, float) else other != mine
        if is_far and (name != "hat" or identity.hair_style in _HAT_HAIR):
            return replace(identity, **{name: other}, seed=seed)
    raise AssertionError(f"no trait of identity {identity.seed} could be changed")


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


def _skin(random: np.random.Generator) -> Colour:
    place = float(random.uniform(0.0, len(palette.SKINS) - 1.001))
    base = palette.blend(palette.SKINS[int(place)], palette.SKINS[int(place) + 1], place % 1.0)
    undertone = float(random.uniform(-1.0, 1.0))
    tint = palette.colour_of("#f2a25c") if undertone > 0 else palette.colour_of("#e58a8e")
    return palette.blend(base, tint, 0.12 * abs(undertone))


def _hair_colour(random: np.random.Generator, age: float, skin: Colour) -> Colour:
    if age > 0.75 and random.random() < 0.6:
        chosen = int(random.choice(palette.GREY_HAIRS))
    elif random.random() < 0.1:
        chosen = int(random.integers(13, len(palette.HAIRS)))
    else:
        num_likely = palette.NUM_NATURAL_HAIRS if palette.luminance(skin) > 0.6 else 5
        chosen = int(random.integers(num_likely))
    return _apart(palette.HAIRS[chosen], skin, 0.17)


def _eye_colour(random: np.random.Generator, skin: Colour) -> Colour:
    num_likely = len(palette.EYES) if palette.luminance(skin) > 0.55 or random.random() < 0.2 else 3
    return palette.EYES[int(random.integers(num_likely))]


def _lip_colour(random: np.random.Generator, skin: Colour, softness: float) -> Colour:
    hue = palette.LIPS[int(random.integers(len(palette.LIPS)))]
    natural = palette.shade(palette.blend(skin, hue, 0.55), 0.1)
    return palette.blend(natural, hue, float(random.uniform(0.0, 0.8)) * softness)


def _apart(colour: Colour, other: Colour, least: float) -> Colour:
    """The colour, darkened or lightened until it stands out against the other one."""
    goes_dark = palette.luminance(other) > 0.3
    for _ in range(12):
        if palette.contrast(colour, other) >= least:
            break
        colour = palette.deepen(colour, 0.16) if goes_dark else palette.light(colour, 0.12)
    return colour


def _pick_apart(random: np.random.Generator, choices: tuple[Colour, ...], other: Colour, least: float) -> Colour:
    fitting = [choice for choice in choices if palette.contrast(choice, other) >= least] or list(choices)
    return fitting[int(random.integers(len(fitting)))]


def _scene(random: np.random.Generator, skin: Colour, hair: Colour) -> tuple[Colour, ...]:
    """Background, its second tone, clothes and accent: of a few palettes the one that sets off this head best."""
    candidates = random.permutation(len(palette.SCENES))[:5]

    def quality(index: int) -> float:
        scene = palette.SCENES[index]
        against_skin, against_hair = palette.contrast(scene[0], skin), palette.contrast(scene[0], hair)
        return min(against_skin, 0.2) + min(against_hair, 0.25) + 0.5 * min(palette.contrast(scene[2], skin), 0.2)

    return palette.SCENES[max((int(index) for index in candidates), key=quality)]
