"""Preference pairs on disk: one JSON line each, the same for exact measures and for people's votes.

    {"format": 1, "scene": "scene-000012", "winner": 2, "loser": 0, "judge": "measures", "scores": {"winner": {"lip_sync": 0.8}}}

A scene is a safetensors file in the folder `scenes` beside: what the candidates were told, and the candidates, which are plans of
motion (`candidates_NFM`, what the actor's measures judge) or films as latents (`candidates_NFCHW`, what people look at). Winner and loser
are indices of candidates. `judge` is `measures` or `person:NAME`; `scores` may be missing, as it is where people voted.
"""

import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.errors import BadInputError

FORMAT: Final = 1
PAIRS_NAME: Final = "pairs.jsonl"
SCENE_NAME: Final = re.compile(r"[\w-]+")
PLANS: Final = "candidates_NFM"
FILMS: Final = "candidates_NFCHW"


@dataclass(frozen=True, kw_only=True)
class PreferencePair:
    """One judgement: of two candidates of a scene, which is better, and who says so."""

    scene: str
    winner: int
    loser: int
    judge: str
    scores: dict[str, dict[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not SCENE_NAME.fullmatch(self.scene):
            raise ValueError(f"{self.scene!r} is no name of a scene (letters, digits, - and _)")
        if min(self.winner, self.loser) < 0 or self.winner == self.loser:
            raise ValueError(f"winner {self.winner} and loser {self.loser} must be two candidates, counted from 0")
        if self.judge != "measures" and not self.judge.startswith("person:"):
            raise ValueError(f"a judge is measures or person:NAME, not {self.judge!r}")


def write_pairs(path: Path, pairs: Iterable[PreferencePair]) -> None:
    """All pairs, beside the target and then swapped."""
    lines = [json.dumps({"format": FORMAT, **asdict(pair)}) for pair in pairs]
    partial = path.with_suffix(".partial")
    partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    partial.replace(path)


def read_pairs(path: Path) -> list[PreferencePair]:
    """Every pair of a file; `BadInputError` names the first line that is none."""
    if not path.is_file():
        raise BadInputError(f"{path} does not exist; it should hold preference pairs, one JSON line each")
    pairs = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        try:
            pairs.append(_pair_of(json.loads(line)))
        except (ValueError, TypeError, KeyError) as error:
            raise BadInputError(f"{path}, line {number} is no preference pair: {error}") from error
    return pairs


def _pair_of(record: Any) -> PreferencePair:
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError(f"it must be an object of format {FORMAT}")
    fields = {name: value for name, value in record.items() if name != "format"}
    if not all(type(fields.get(name)) is int for name in ("winner", "loser")):
        raise ValueError("winner and loser must be whole numbers")
    if not all(isinstance(fields.get(name), str) for name in ("scene", "judge")):
        raise ValueError("scene and judge must be text")
    return PreferencePair(**fields)


def write_scene(folder: Path, name: str, tensors: dict[str, Tensor]) -> None:
    """A scene's tensors, floats in half precision."""
    path = scene_path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".partial-{os.getpid()}")
    halves = {name: x.half() if x.is_floating_point() else x for name, x in tensors.items()}
    save_file({name: x.contiguous() for name, x in halves.items()}, partial)
    partial.replace(path)


def read_scene(folder: Path, pair: PreferencePair, candidates: str) -> dict[str, Tensor]:
    """The tensors of a pair's scene, whose `candidates` are PLANS or FILMS; `BadInputError` where it has no such candidates."""
    path = scene_path(folder, pair.scene)
    try:
        scene = load_file(path)
    except (OSError, SafetensorError) as error:
        raise BadInputError(f"{path} cannot be read ({error}); fetch the preferences again") from error
    if candidates not in scene:
        what = {PLANS: "plans of motion", FILMS: "films"}[candidates]
        raise BadInputError(f"{path} holds no {what} ({candidates}); give preferences among {what}")
    if max(pair.winner, pair.loser) >= len(scene[candidates]):
        raise BadInputError(f"{path} does not hold the candidates {pair.winner} and {pair.loser}")
    return scene


def scene_path(folder: Path, name: str) -> Path:
    """Where a scene lies."""
    return folder / "scenes" / f"{name}.safetensors"
