"""A session on disk: `session.json` and `session.safetensors` in a folder of its own, whole or absent, and back.

Files may come from a stranger: no code is read, every number and shape is checked before it is believed.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.devices import wait_for
from engine.errors import BadInputError
from engine.media.whole_files import cannot_write
from engine.online.audio_window import SAMPLES_PER_FRAME
from engine.online.chunk_steps import SessionStages
from engine.online.conductor import Conductor, ReadyFrame
from engine.online.live import LiveConfig, checked_direction
from engine.online.lookahead import LookaheadConfig
from engine.online.session import LiveSession
from engine.online.states import HANGOVER_FRAMES, Activity, LiveState

FORMAT_VERSION: Final = 3
OUTLINE_NAME: Final = "session.json"
TENSORS_NAME: Final = "session.safetensors"
MANY: Final = ("weights", "settings", "pictures")  # what a session's identity names in the plural
_MOST_OUTLINE_BYTES: Final = 4 * 2**20
_MOST_AHEAD_FRAMES: Final = 3600 * 24  # a machine that is far too slow begins chunks far ahead of what it shows
_COUNTERS: Final = ("clock", "next_latent", "next_frame", "num_chunks", "last_latent")


def write_snapshot(folder: Path, conductor: Conductor, stages: SessionStages, identity: Mapping[str, str]) -> None:
    """Write a session in which nothing is under way; `BadInputError` where the folder exists or cannot be written."""
    if folder.exists():
        raise BadInputError(f"{folder}: this is there already; give the name of a new folder")
    decoder_tensors, decoder_outline = stages.decoder.tensors()
    tensors = {f"generator.{name}": tensor for name, tensor in stages.generator.tensors().items()}
    tensors |= {f"decoder.{name}": tensor for name, tensor in decoder_tensors.items()}
    shown = [*conductor.ready, *([conductor.last_shown] if conductor.last_shown else [])]
    pictures = [frame.picture_HWC for frame in shown] or [conductor.portrait_HWC[:0]]
    tensors["pictures"] = torch.from_numpy(np.stack(pictures))
    outline: dict[str, Any] = {
        "format": FORMAT_VERSION,
        "identity": dict(identity),
        "config": _config_outline(conductor.config),
        "counters": {name: vars(conductor)[name] for name in _COUNTERS},
        "prompt": conductor.direction.text,
        "prompt_first_frame": conductor.direction.first_frame,
        "is_paused": conductor.is_paused,
        "activity": asdict(conductor.activity),
        "ready": [_frame_outline(frame) for frame in conductor.ready],
        "last_shown": _frame_outline(conductor.last_shown) if conductor.last_shown else None,
        "decoder": decoder_outline,
    }
    for name, track in (("speak", conductor.speak), ("listen", conductor.listen)):
        base, taken, sound_S = track.state()
        outline[name] = {"base": base, "taken": taken}
        tensors[name] = torch.from_numpy(sound_S)
    _write_whole(folder, outline, tensors)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A snapshot that was read; what is in it is checked while it is filled in."""

    folder: Path
    outline: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    def config(self, split: str) -> LiveConfig:
        """The session's configuration, with another split of the work."""
        try:
            given = dict(self.outline["config"])
            given["lookahead"] = LookaheadConfig(**given["lookahead"])
            prompts = {LiveState(state): tuple(map(str, texts)) for state, texts in given["state_prompts"].items()}
            return LiveConfig(**given | {"state_prompts": prompts, "split": split})
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._damaged() from None

    def fill(self, session: LiveSession, split: str) -> LiveSession:
        """A session like `session`, a fresh one of the same config without threads, that goes on from the snapshot."""
        conductor, stages = session._conductor, session._stages
        try:
            stages.generator.load(self._part("generator."))
            stages.decoder.load(self._part("decoder."), self.outline["decoder"])
            self._fill_conductor(conductor)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._damaged() from None
        wait_for(stages.device)
        session.close()
        conductor.config = replace(conductor.config, split=split)
        return LiveSession(conductor, stages, session.identity)

    def _fill_conductor(self, conductor: Conductor) -> None:
        outline = self.outline
        for name, value in outline["counters"].items():
            if name not in _COUNTERS or not isinstance(value, int) or value < -1:
                raise ValueError(name)
            setattr(conductor, name, value)
        activity = Activity(**outline["activity"])
        if not 0 <= min(activity.frames_since_speak, activity.frames_since_listen) <= HANGOVER_FRAMES:
            raise ValueError("activity")
        conductor.activity = activity
        conductor.direct(checked_direction(str(outline["prompt"])))
        conductor.direction.first_frame = _first_frame_of(outline["prompt_first_frame"])
        conductor.is_paused = bool(outline["is_paused"])
        last = outline["last_shown"]
        frames = [*outline["ready"], *([last] if last else [])]
        pictures_THWC = self.tensors["pictures"]
        if pictures_THWC.dtype != torch.uint8 or len(pictures_THWC) < len(frames):
            raise ValueError("pictures")
        shape = conductor.portrait_HWC.shape
        if (frames and tuple(pictures_THWC.shape[1:]) != shape) or len(frames) > conductor.most_ahead_frames + 2:
            raise ValueError("pictures")
        made = [_ready_frame(entry, picture.numpy()) for entry, picture in zip(frames, pictures_THWC)]
        if last:
            conductor.last_shown = made.pop()
        conductor.ready.extend(made)
        indices = [frame.index for frame in made]
        if indices != sorted(set(indices)) or (indices and not conductor.clock <= indices[0] <= indices[-1]):
            raise ValueError("ready")
        if not conductor.clock <= conductor.next_frame <= conductor.clock + _MOST_AHEAD_FRAMES:
            raise ValueError("counters")
        for name, track in (("speak", conductor.speak), ("listen", conductor.listen)):
            base, taken = int(outline[name]["base"]), int(outline[name]["taken"])
            if taken > conductor.next_frame * SAMPLES_PER_FRAME:
                raise ValueError(name)
            track.restore(base, taken, self.tensors[name].numpy())

    def _part(self, prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): x for name, x in self.tensors.items() if name.startswith(prefix)}

    def _damaged(self) -> BadInputError:
        return BadInputError(f"{self.folder}: the session in it is damaged; open a new one")


def read_snapshot(folder: Path, identity: Mapping[str, str]) -> Snapshot:
    """Read a snapshot and check that it belongs to this character and pack; `BadInputError` in one line."""
    path = folder / OUTLINE_NAME
    try:
        if path.stat().st_size > _MOST_OUTLINE_BYTES:
            raise BadInputError(
                f"{path}: this is too large for a session's outline; choose a folder that a session wrote"
            )
        outline = json.loads(path.read_text("utf-8"))
        tensors = load_file(folder / TENSORS_NAME)
    except OSError as error:
        raise BadInputError(
            f"{folder}: no session can be read here ({error.strerror or error}); choose another"
        ) from None
    except (ValueError, RecursionError, SafetensorError):
        raise BadInputError(f"{folder}: the session in it is damaged; open a new one") from None
    if not isinstance(outline, dict) or outline.get("format") != FORMAT_VERSION:
        raise BadInputError(f"{folder}: this session was written by another release; open a new one")
    for name, wanted in identity.items():
        given = outline.get("identity", {}).get(name) if isinstance(outline.get("identity"), dict) else None
        if given != wanted:
            other = f"other {name}" if name in MANY else f"another {name}"
            raise BadInputError(
                f"{folder}: the session was made with {other} ({given!s:.60}); restore it with what it was made with"
            )
    return Snapshot(folder=folder, outline=outline, tensors=tensors)


def _config_outline(config: LiveConfig) -> dict[str, Any]:
    plain = {name: value for name, value in vars(config).items() if name not in ("lookahead", "state_prompts", "split")}
    prompts = {str(state): list(texts) for state, texts in config.state_prompts.items()}
    return plain | {"lookahead": asdict(config.lookahead), "state_prompts": prompts}


def _first_frame_of(given: Any) -> int | None:
    if given is not None and (not isinstance(given, int) or given < 0):
        raise ValueError("prompt_first_frame")
    return given


def _frame_outline(frame: ReadyFrame) -> dict[str, Any]:
    return {"index": frame.index, "latent": frame.latent, "chunk": frame.chunk, "state": str(frame.state)}


def _ready_frame(entry: Mapping[str, Any], picture_HWC: Any) -> ReadyFrame:
    return ReadyFrame(
        index=int(entry["index"]),
        latent=int(entry["latent"]),
        chunk=int(entry["chunk"]),
        state=LiveState(entry["state"]),
        picture_HWC=picture_HWC,
    )


def _write_whole(folder: Path, outline: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    temporary = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    try:
        temporary.mkdir(parents=True)
        (temporary / OUTLINE_NAME).write_text(json.dumps(outline), encoding="utf-8")
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary / TENSORS_NAME
        )
        temporary.rename(folder)
    except OSError as error:
        raise cannot_write(folder, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
