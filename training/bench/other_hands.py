"""Whether a pack keeps faces that were drawn in a style it never learned from (`flat_heads`): one portrait each, talking and feeling.

Called by `other_hands_cli`. There is no truth of how another hand would have drawn a film; its areas have one colour each, though, so how
much of each is left can be counted, and whose face it is and where its mouth opens is read as ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.characters import Character, Reference, ReferenceKind
from training.actor.captions import CaptionSpan
from training.actor.performance import perform_clip
from training.actor.state import EXPRESSIONS
from training.actor.voices import VoicePool
from training.bench.cases import HELD_OUT_SEED, FilmRequest
from training.bench.flat_heads import Colour, draw_flat_head, random_head
from training.bench.judge import FilmMaker
from training.bench.measures import nearest_reference, shown_expression
from training.bench.reading import Reading, read_film, resized, true_reading
from training.bench.regressor import LoadedRegressor
from training.bench.report import Figure
from training.bench.statistics import bootstrap, mean, pearson

SPEAKING_FRAMES: Final = 72
FEELING_FRAMES: Final = 48
FEELINGS: Final = ("happy", "sad", "angry", "surprised", "afraid")
ALIKE_LEVELS: Final = 24.0  # of 0..255, by all three colours: pixels no farther from an area's colour belong to it
LEAST_SHARE: Final = 0.03  # of a portrait: what is smaller is no area
STRIP_PX: Final = 128


@dataclass(frozen=True, kw_only=True)
class HeadResult:
    """What one head's films show. `areas_kept`: of each area's share of the portrait, so much is in the films, or the other way round where
    they have more."""

    portrait: Reading
    speaking: Reading
    feeling: Reading
    asked_expression: int
    mouth_r: float
    areas_kept: tuple[float, ...]
    strip_HWC: NDArray[np.uint8]


def judge_head(seed: int, maker: FilmMaker, regressor: LoadedRegressor, voices: VoicePool) -> HeadResult:
    """Both films of a head, made and read."""
    head = random_head(seed)
    portrait_HWC = draw_flat_head(head, maker.film_px)
    reference = Reference(kind=ReferenceKind.GLOBAL, subtype="", picture_HWC=portrait_HWC, path=Path("portrait.png"))
    character = Character(name=f"head {seed}", description="", references=(reference,))
    performance = perform_clip(HELD_OUT_SEED + seed, SPEAKING_FRAMES, "speak", voices)
    felt = FEELINGS[seed % len(FEELINGS)]

    def film(num_frames: int, speak_S: NDArray[np.float32] | None, text: str) -> NDArray[np.uint8]:
        told = (CaptionSpan(start_frame=0, end_frame=num_frames, text=text),) if text else ()
        return maker.film(
            FilmRequest(
                character=character, speak_S=speak_S, listen_S=None, prompts=told, num_frames=num_frames, seed=seed
            )
        )

    speaking_THWC = film(SPEAKING_FRAMES, performance.speak_S, "")
    feeling_THWC = film(FEELING_FRAMES, None, f"is very {felt}")
    speaking = read_film(regressor, speaking_THWC)
    still_HWC = resized(portrait_HWC, maker.size_px)
    shown = (still_HWC, *speaking_THWC[[SPEAKING_FRAMES // 3, 2 * SPEAKING_FRAMES // 3]], feeling_THWC[-1])
    return HeadResult(
        portrait=read_film(regressor, still_HWC[None]),
        speaking=speaking,
        feeling=read_film(regressor, feeling_THWC),
        asked_expression=EXPRESSIONS.index(felt),
        mouth_r=pearson(speaking.series("mouth_open"), true_reading(performance.state_TK).series("mouth_open")),
        areas_kept=areas_kept(head.areas, still_HWC, np.concatenate([speaking_THWC, feeling_THWC])),
        strip_HWC=np.concatenate([resized(each_HWC, STRIP_PX) for each_HWC in shown], axis=1),
    )


def areas_kept(
    colours: Sequence[Colour], portrait_HWC: NDArray[np.uint8], film_THWC: NDArray[np.uint8]
) -> tuple[float, ...]:
    """How much of each area that the portrait has is in the film, 0 to 1: the smaller share of all pixels through the larger one."""
    kept = []
    for colour in colours:
        drawn, shown = share_of(portrait_HWC, colour), share_of(film_THWC, colour)
        if drawn >= LEAST_SHARE:
            kept.append(min(drawn, shown) / max(drawn, shown))
    return tuple(kept)


def share_of(pictures: NDArray[np.uint8], colour: Colour) -> float:
    """The share of pixels [..., 3] that are alike to a colour."""
    distances = np.linalg.norm(pictures.astype(np.float32) - np.array(colour, np.float32), axis=-1)
    return float((distances <= ALIKE_LEVELS).mean())


def figures_of(results: Sequence[HeadResult]) -> list[Figure]:
    """The figures over all heads; none has a bar, for nobody has said what is enough."""
    portraits_RD = np.concatenate([each.portrait.identity_TD for each in results])
    is_nearest = [float(nearest_reference(each.speaking, portraits_RD) == place) for place, each in enumerate(results)]
    is_shown = [float(shown_expression(each.feeling) == each.asked_expression) for each in results]
    rows = (
        ("own_nearest", f"own portrait nearest of {len(results)}", is_nearest),
        ("areas_kept", "wall, skin, hair and clothes keep their shares", [mean(each.areas_kept) for each in results]),
        ("mouth_r", "mouth follows the voice, r", [each.mouth_r for each in results]),
        ("expression_accuracy", f"feeling asked for, of {len(FEELINGS)}, read of {len(EXPRESSIONS)}", is_shown),
    )
    return [Figure(name=name, title=title, estimate=bootstrap(values, mean)) for name, title, values in rows]
