"""Directions from a JSON file: a list of spans, each with its frames (or seconds) and its words, or a list of words alone.

    [
      {"start_frame": 0, "end_frame": 48, "text": "smiles, looks at the viewer"},
      {"start_s": 2, "end_s": 5.5, "text": "grows serious"}
    ]

    ["smiles", "grows serious"]     each for 125 frames, the last to the film's end

Called by `lpm perform --prompts` and `--prompt`. Every span is checked against the film's length; nothing is moved or cut silently.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from engine import PromptSpan
from engine.base.job import prompts_in_turn
from engine.errors import BadInputError
from engine.media.sniff import require_file
from engine.shapes import FRAME_RATE_HZ

_MAX_BYTES: Final = 2**20
_MAX_SPANS: Final = 1000
MAX_TEXT: Final = 600
_KEYS: Final = frozenset({"start_frame", "end_frame", "start_s", "end_s", "text"})


def read_prompts(path: Path, num_frames: int) -> tuple[PromptSpan, ...]:
    """The spans of a prompts file, sorted by time; `BadInputError` names the span that cannot be used."""
    require_file(path, _MAX_BYTES)
    try:
        entries = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError, OSError) as error:  # no JSON, no UTF-8, or a number of thousands of digits
        raise BadInputError(f"{path}: not valid JSON ({error}); correct it there") from None
    if not isinstance(entries, list) or len(entries) > _MAX_SPANS:
        raise BadInputError(
            f'{path}: must be a list of at most {_MAX_SPANS} spans like {{"start_frame": 0, "end_frame": 48, "text": "smiles"}}'
        )
    if entries and all(isinstance(entry, str) for entry in entries):
        return prompts_of_words(entries, num_frames, str(path))
    spans = sorted(
        (_span(f"{path}: span {number}", entry, num_frames) for number, entry in enumerate(entries, 1)),
        key=lambda span: span.start_frame,
    )
    for before, after in itertools.pairwise(spans):
        if after.start_frame < before.end_frame:
            raise BadInputError(
                f"{path}: spans {before.start_frame}..{before.end_frame} and {after.start_frame}..{after.end_frame} overlap; "
                "let one end where the next begins"
            )
    return tuple(spans)


def prompts_of_words(texts: Sequence[str], num_frames: int, where: str) -> tuple[PromptSpan, ...]:
    """One direction for the whole film, or several in turn for 125 frames each; a blank one is none."""
    if any(len(text) > MAX_TEXT for text in texts):
        raise BadInputError(f"{where} has {max(map(len, texts))} letters; at most {MAX_TEXT}")
    try:
        return prompts_in_turn(tuple(texts), num_frames) if texts else ()
    except BadInputError as error:
        raise BadInputError(f"{where}: {error}") from None


def _span(where: str, entry: Any, num_frames: int) -> PromptSpan:
    if not isinstance(entry, dict) or not set(entry) <= _KEYS:
        raise BadInputError(f"{where} must have start_frame, end_frame (or start_s, end_s) and text, and nothing else")
    text = entry.get("text")
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT:
        raise BadInputError(f"{where} needs a text of 1 to {MAX_TEXT} letters")
    start, end = _frame(where, entry, "start"), _frame(where, entry, "end")
    if not 0 <= start < end <= num_frames:
        raise BadInputError(f"{where} covers the frames {start}..{end}, but the film has the frames 0..{num_frames}")
    return PromptSpan(start_frame=start, end_frame=end, text=text.strip())


def _frame(where: str, entry: Mapping[str, Any], edge: str) -> int:
    frame, seconds = entry.get(f"{edge}_frame"), entry.get(f"{edge}_s")
    if isinstance(frame, int) and not isinstance(frame, bool) and seconds is None:
        return frame
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and frame is None and abs(seconds) < 1e6:
        return round(seconds * FRAME_RATE_HZ)
    raise BadInputError(f"{where} needs either {edge}_frame (a whole number) or {edge}_s (seconds)")
