"""What a window's latents depend on, as one hash: equal hashes, equal latents.

The hash of a window takes in the hash of the window that it continues from, so that a changed word or sound changes the windows
it reaches and all that follow, and none before. Called by the performer to recognise windows that were made before.
"""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from engine.base.conditions import WindowTold
from engine.base.continuation import WindowPlan
from engine.base.job import PerformJob
from engine.base.settings import BaseSettings
from engine.characters import ReferenceKind
from engine.digests import array_digest
from engine.loaded_pack import LoadedPack

ARITHMETIC = 9  # raised whenever the engine makes other latents from the same inputs


def film_fingerprint(
    pack: LoadedPack,
    settings: BaseSettings,
    job: PerformJob,
    number_format: str,
) -> str:
    """What all windows of a film depend on: weights, settings, the character's portrait, the first frame and the seed."""
    first_HWC = job.first_frame_HWC
    return _digest(
        {
            "arithmetic": ARITHMETIC,
            "numbers": number_format,
            "components": [asdict(entry) for entry in pack.manifest.components],
            "settings": asdict(settings),
            "motion": None
            if pack.motion is None
            else [asdict(pack.motion.settings), asdict(job.guidance or pack.guidance)],
            "size_px": pack.size_px,
            "film_px": pack.film_px,
            "portrait": array_digest(job.character.global_picture_HWC),
            "views": {
                each.subtype: each.picture_digest
                for each in job.character.references
                if each.kind is ReferenceKind.VIEW
            }
            if pack.posing is not None
            else {},
            "first_frame": None if first_HWC is None else array_digest(first_HWC),
            "seed": job.seed,
        }
    )


def window_fingerprint(before: str, plan: WindowPlan, told: WindowTold) -> str:
    """What one window's latents depend on; `before` is the fingerprint of the window before, or of the film.

    How far the film is final after it (`plan.final_end`) is left out: a longer film has the same windows.
    """
    return _digest(
        {
            "before": before,
            "latents": [plan.start, plan.num_latents, plan.history, plan.overlap],
            "text": told.text,
            "references": [[str(each.kind), each.subtype, each.picture_digest] for each in told.references],
            "sound": [[each.first_frame, array_digest(each.sound_S)] for each in (told.speak, told.listen)],
        }
    )


def motion_fingerprint(window: str) -> str:
    """Under which the rows of motion are kept that a window of this fingerprint added to the plan."""
    return _digest({"motion of": window})


def noise_seed(seed: int, window: int, what: str = "window") -> int:
    """The seed of one window's noise, or of its motion's: it depends on nothing that was drawn before."""
    digest = hashlib.sha256(f"{what} noise {seed} {window}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
