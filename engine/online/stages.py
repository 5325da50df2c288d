"""Encoding what a chunk is told and decoding what came of it, each with its own state; what lies between is a generator's.

Called for each chunk by its steps (`engine.online.chunk_steps`), each always from the same thread. A step goes back by itself to the
latent that it is asked for, so a withdrawn chunk needs no clearing up. They must not know sessions or clocks.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.codec.protocol import DecoderState, VideoCodec
from engine.directed_references import DirectedReferences
from engine.encoders.protocol import AudioRows, TextRows
from engine.errors import BadInputError
from engine.latent_tail import LatentTail
from engine.model_config import DitConfig
from engine.motion.muteness import mute_frames
from engine.online.audio_window import SAMPLES_PER_FRAME, encode_window
from engine.online.conditions import ChunkConditions
from engine.online.nested_tensors import flatten, restore
from engine.pixels import as_bytes
from engine.posing.retoucher import MovedFilm, Retoucher, standing_before


@dataclass(frozen=True, kw_only=True)
class SoundReach:
    """Frames of sound that an encoder is given before a chunk's first frame and after its last."""

    before_frames: int
    after_frames: int


@dataclass(frozen=True, kw_only=True)
class ChunkTold:
    """The frozen snapshot of everything a chunk is told, as plain sound and words; each sound spans its `SoundReach`."""

    num_latents: int
    text: str
    speak_S: NDArray[np.float32]
    listen_S: NDArray[np.float32]
    effort: int
    is_soft: bool = False


class ConditionEncoder:
    """Sound and words to features, and the references that the words call for. A text's rows are kept until another comes."""

    def __init__(
        self,
        text_encoder: TextRows,
        references: DirectedReferences,
        encoders: tuple[AudioRows, AudioRows],
        reaches: tuple[SoundReach, SoundReach],
        config: DitConfig,
        history_frames: int,
        history_latents: int,
    ) -> None:
        """`encoders` and `reaches` are those of speaking and listening; a generator's history is told too."""
        self.text_encoder, self.references = text_encoder, references
        self.encoders, self.reaches = encoders, reaches
        self._windows = (config.speak_window, config.listen_window)
        self._history_frames, self._history_latents = history_frames, history_latents
        self._text: tuple[str, Tensor] | None = None

    @torch.no_grad()
    def encode(self, told: ChunkTold) -> ChunkConditions:
        """The features of one chunk, batch of one."""
        rows = [
            encode_window(
                encoder,
                sound_S,
                reach.before_frames - self._history_frames,
                told.num_latents + self._history_latents,
                window,
            )
            for encoder, sound_S, reach, window in zip(
                self.encoders, (told.speak_S, told.listen_S), self.reaches, self._windows, strict=True
            )
        ]
        return ChunkConditions(
            num_latents=told.num_latents,
            text_BSD=self._encode_text(told.text),
            speak_BAD=rows[0],
            listen_BAD=rows[1],
            references=self.references.latents(told.text),
            is_mute_BT=self._mute_frames(told)[None],
            feeling=self.references.feeling(told.text),
            turn=self.references.turn(told.text),
            effort=told.effort,
        )

    def _mute_frames(self, told: ChunkTold) -> Tensor:
        """In which frames of the chunk the character's own voice is mute, [T]."""
        reach = self.reaches[0]
        num_frames = len(told.speak_S) // SAMPLES_PER_FRAME - reach.before_frames - reach.after_frames
        return mute_frames(told.speak_S, -reach.before_frames, 0, num_frames)

    def _encode_text(self, text: str) -> Tensor:
        if self._text is None or self._text[0] != text:
            self._text = (text, self.text_encoder.encode([text]).to(self.references.device))
        return self._text[1]


class StreamingDecoder:
    """Latents to pictures, with the codec's state carried on and a copy of it every so often, to go back to."""

    def __init__(
        self,
        codec: VideoCodec,
        first_BCHW: Tensor,
        portrait_BCHW: Tensor,
        slack_latents: int,
        retoucher: Retoucher | None = None,
        latents_a_copy: int = 1,
    ) -> None:
        """`first_BCHW` is the latent of the portrait, which stands before the session in the codec too; `retoucher` is None where the
        pack has none.

        `latents_a_copy`: so many latents lie between copies. What lies behind a copy is decoded once more on the way back, and not
        retouched: with a retoucher there must be a copy at every latent.
        """
        self.codec, self._slack_latents, self._first_BCHW = codec, slack_latents, first_BCHW
        if retoucher is not None and latents_a_copy != 1:
            raise ValueError("what is retouched cannot be decoded once more; keep a copy at every latent")
        self._latents_a_copy = latents_a_copy
        self._retoucher = retoucher
        self.state: DecoderState = codec.initial_state()
        finish = None if retoucher is None else partial(standing_before, portrait_BCHW)
        with torch.no_grad():
            codec.decode_chunk(first_BCHW[:, None], self.state, finish)
        self.tail = LatentTail(first_BCHW, 2 * slack_latents + 1)
        self._checkpoints: list[tuple[int, DecoderState]] = [(0, copy.deepcopy(self.state))]

    @torch.no_grad()
    def decode(self, first_latent: int, latents_BFCHW: Tensor, moved: MovedFilm | None = None) -> NDArray[np.uint8]:
        """The pictures of latents, uint8 [T, H, W, 3], retouched by what was moved for them; goes back to `first_latent` first."""
        self._go_back(first_latent)
        if first_latent - self._checkpoints[-1][0] >= self._latents_a_copy:
            self._checkpoints.append((first_latent, copy.deepcopy(self.state)))
        while len(self._checkpoints) > 1 and self._checkpoints[1][0] <= first_latent - self._slack_latents:
            del self._checkpoints[0]
        if self._retoucher is not None and moved is not None:
            finish = partial(self._retoucher.retouched, moved=moved)
            pixels_BTCHW = moved.with_details(self.codec.decode_chunk(latents_BFCHW, self.state, finish))
        else:
            pixels_BTCHW = self.codec.decode_chunk(latents_BFCHW, self.state)
        self.tail.append(latents_BFCHW)
        return as_bytes(pixels_BTCHW[0])

    def _go_back(self, length: int) -> None:
        """The state after the first `length` latents: a copy from before them, and what lies between decoded once more."""
        if self.tail.length == length:
            return
        self.tail.truncate(length)
        while len(self._checkpoints) > 1 and self._checkpoints[-1][0] > length:
            del self._checkpoints[-1]
        start, state = self._checkpoints[-1]
        if start > length:
            raise ValueError(f"the decoder cannot go back to latent {length}; its first copy is at {start}")
        self.state = copy.deepcopy(state)
        if start < length:
            self.codec.decode_chunk(self.tail.last(length - start), self.state)

    def tensors(self) -> tuple[dict[str, Tensor], Any]:
        """State, copies and latents to be kept in a file, and the outline of the states for JSON."""
        tensors = {f"tail.{name}": tensor for name, tensor in self.tail.tensors().items()}
        outline = {
            "now": flatten(self.state, "state", tensors),
            "copies": [
                [start, flatten(state, f"copy{index}", tensors)]
                for index, (start, state) in enumerate(self._checkpoints)
            ],
        }
        return tensors, outline

    def load(self, tensors: Mapping[str, Tensor], outline: Any) -> None:
        """Take on what `tensors` gave, on this decoder's device; `BadInputError` unless it fits."""
        tensors = {name: tensor.to(self._first_BCHW.device) for name, tensor in tensors.items()}
        try:
            now, copies = outline["now"], [(int(start), state) for start, state in outline["copies"]]
        except (KeyError, TypeError, ValueError):
            raise BadInputError("the session's decoder state is damaged; open a new session") from None
        if not copies:
            raise BadInputError("the session's decoder state is damaged; open a new session")
        self.tail.load({name.removeprefix("tail."): x for name, x in tensors.items() if name.startswith("tail.")})
        self.state = self._restored(now, tensors)
        self._checkpoints = [(start, self._restored(state, tensors)) for start, state in copies]

    @torch.no_grad()
    def _restored(self, outline: Any, tensors: Mapping[str, Tensor]) -> DecoderState:
        """A state from a file, tried out on a copy: what its tensors must be like is the codec's own matter."""
        state: DecoderState = restore(self.codec.initial_state(), outline, tensors)
        try:
            self.codec.decode_chunk(self._first_BCHW[:, None], copy.deepcopy(state))
        except (RuntimeError, TypeError, ValueError, AttributeError, IndexError):
            raise BadInputError("the session's decoder state does not fit this codec; open a new session") from None
        return state
