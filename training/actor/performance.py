"""One seeded performance of the actor: both sound tracks, the state of every frame, captions and the truth about them.

`perform_clip` is what training, the benchmark and the command line call; it needs no drawing and makes tens of clips a
second. The same seed and the same pool give the same performance to the last bit.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.augment import GENTLE, AugmentConfig, augment
from training.actor.captions import CaptionSpan, caption
from training.actor.directions import (
    ClipKind,
    DirectedSpan,
    Direction,
    apply_directions,
    direction_labels,
    liveliness_of,
    sample_spans,
)
from training.actor.hearing import hear
from training.actor.idle import add_fixations, add_glances, add_life
from training.actor.laughter import laugh
from training.actor.listening import ListeningEvent, attend, react
from training.actor.motion import blink_track, spontaneous_blinks
from training.actor.prosody import add_speech_gestures
from training.actor.speaking import MOUTH, SAMPLES_PER_FRAME, MouthHabit, mouth_state, write_mouth
from training.actor.speech_track import SpeechStyle, SpeechTrack, make_speech
from training.actor.state import EXPRESSIONS, channel, resting_state
from training.actor.visemes import REST_VISEME
from training.actor.voices import VoicePool

CLIP_KINDS: Final[tuple[ClipKind, ...]] = ("speak", "listen", "converse", "idle")
WARM_UP_FRAMES: Final = 30
SHORTEST_TURN_FRAMES: Final = 30

_LIMITS: Final = {"yaw": 0.5, "pitch": 0.42, "roll": 0.35}
_SPEAKING_STYLE: Final = SpeechStyle(longest_pause_s=0.8)
_PARTNER_STYLE: Final = SpeechStyle(
    shortest_pause_s=0.4, longest_pause_s=1.4, quiet_share=0.12, interjection=laugh, interjection_share=0.12
)

Sound = NDArray[np.float32]
Track = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Performance:
    """What the actor does and hears: T frames at 24 fps, exactly 1000 samples a frame on both tracks (zeros when absent)."""

    seed: int
    kind: ClipKind
    state_TK: Track
    speak_S: Sound
    listen_S: Sound
    dry_speak_S: Sound  # the voice without room, noise and microphone
    viseme_T: NDArray[np.int16]
    is_speaking_T: NDArray[np.bool_]
    expression_T: NDArray[np.int16]
    captions: tuple[CaptionSpan, ...]
    spans: tuple[DirectedSpan, ...]
    labels: Track  # one row of direction labels a caption
    listening_events: tuple[ListeningEvent, ...]
    speak_voice: str
    listen_voice: str
    text: str

    @property
    def num_frames(self) -> int:
        """How many frames the performance lasts."""
        return len(self.state_TK)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """All moments of direction in order."""
        return tuple(moment for span in self.spans for moment in span.moments)


@dataclass(frozen=True, kw_only=True)
class _Turns:
    """The tracks of one clip before anything moves."""

    speech: SpeechTrack
    listen_S: Sound
    speak_voice: str = ""
    listen_voice: str = ""


def perform_clip(
    seed: int,
    num_frames: int,
    kind: ClipKind,
    voices: VoicePool,
    room: AugmentConfig | None = None,
    told: tuple[DirectedSpan, ...] | None = None,
) -> Performance:
    """Performs one clip. `room` overrides the random recording conditions of the speaker's sound, `told` the random directions."""
    if num_frames < 1 or kind not in CLIP_KINDS:
        raise ValueError(
            f"a clip has at least one frame and a kind of {CLIP_KINDS}, not {num_frames} frames of {kind!r}"
        )
    rng = np.random.default_rng((seed, CLIP_KINDS.index(kind), num_frames))
    turns = _turns(rng, num_frames, kind, voices)
    spans = sample_spans(rng, num_frames, kind) if told is None else told
    moments = tuple(moment for span in spans for moment in span.moments)
    liveliness = liveliness_of(moments) * float(rng.uniform(0.8, 1.15))
    state_TK, blinks = _alive(rng, num_frames, turns, liveliness, kind)
    heard = hear(turns.listen_S)
    attend(state_TK, heard)
    apply_directions(rng, state_TK, moments)
    events = react(state_TK, heard)
    add_fixations(rng, state_TK)
    habit = MouthHabit(opening=float(rng.uniform(0.9, 1.1)) * (0.85 + 0.15 * liveliness))
    mouth, viseme_T = mouth_state(turns.speech, num_frames, habit)
    write_mouth(state_TK, mouth)
    state_TK[:, channel("blink")] = blink_track(num_frames, blinks)
    _limit(state_TK)
    expression = state_TK[:, [channel(f"expression_{name}") for name in EXPRESSIONS]]
    return Performance(
        seed=seed,
        kind=kind,
        state_TK=state_TK,
        speak_S=augment(rng, turns.speech.sound_S, room or AugmentConfig()),
        listen_S=turns.listen_S,
        dry_speak_S=turns.speech.sound_S,
        viseme_T=viseme_T,
        is_speaking_T=viseme_T != REST_VISEME,
        expression_T=expression.argmax(axis=1).astype(np.int16),
        captions=tuple(caption(rng, span, kind) for span in spans),
        spans=spans,
        labels=np.stack([direction_labels(span) for span in spans]),
        listening_events=events,
        speak_voice=turns.speak_voice,
        listen_voice=turns.listen_voice,
        text=turns.speech.text,
    )


def _turns(rng: np.random.Generator, num_frames: int, kind: ClipKind, voices: VoicePool) -> _Turns:
    num_samples = num_frames * SAMPLES_PER_FRAME
    silence = np.zeros(num_samples, dtype=np.float32)
    nothing = SpeechTrack(sound_S=silence)
    if kind == "idle":
        return _Turns(speech=nothing, listen_S=silence)
    voice, manner = voices.pick(rng)
    name = f"{voice.engine}:{voice.name}"
    if kind == "speak":
        return _Turns(
            speech=make_speech(rng, num_samples, voice, manner, _SPEAKING_STYLE), listen_S=silence, speak_voice=name
        )
    partner, partner_manner = voices.pick(rng)
    partner_name = f"{partner.engine}:{partner.name}"
    heard = make_speech(rng, num_samples, partner, partner_manner, _PARTNER_STYLE).sound_S
    if kind == "listen":
        return _Turns(speech=nothing, listen_S=augment(rng, heard, GENTLE), listen_voice=partner_name)
    speech = make_speech(rng, num_samples, voice, manner, _SPEAKING_STYLE)
    own, theirs = _take_turns(rng, num_frames)
    speech = _only_during(speech, own)
    listen_S = augment(rng, heard * np.repeat(theirs, SAMPLES_PER_FRAME).astype(np.float32), GENTLE)
    return _Turns(speech=speech, listen_S=listen_S, speak_voice=name, listen_voice=partner_name)


def _take_turns(rng: np.random.Generator, num_frames: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Frames of the character's and of the partner's turns, with a silence between them; the character often begins."""
    own, theirs = np.zeros(num_frames, dtype=np.bool_), np.zeros(num_frames, dtype=np.bool_)
    is_own = bool(rng.random() < 0.65)
    longest = max(SHORTEST_TURN_FRAMES + 1, min(num_frames * 2 // 3, 144))
    frame = 0
    while frame < num_frames:
        length = int(rng.integers(SHORTEST_TURN_FRAMES, longest))
        (own if is_own else theirs)[frame : frame + length] = True
        frame += length + int(rng.integers(6, 26))
        is_own = not is_own
    return own, theirs


def _only_during(speech: SpeechTrack, own_T: NDArray[np.bool_]) -> SpeechTrack:
    """Keeps the phones that lie wholly within the character's turns, and their sound with soft edges."""

    def is_kept(start: int, end: int) -> bool:
        frames = own_T[max(start, 0) // SAMPLES_PER_FRAME : max(end - 1, 0) // SAMPLES_PER_FRAME + 1]
        return bool(len(frames)) and bool(frames.all())

    phones = tuple(p for p in speech.phones if is_kept(p.start_samples, p.end_samples))
    keep = np.zeros(len(speech.sound_S), dtype=np.float32)
    for phone in phones:
        keep[max(phone.start_samples, 0) : phone.end_samples] = 1.0
    ramp = 240
    smoothed = np.convolve(keep, np.ones(ramp, dtype=np.float32) / ramp, mode="same")
    phrases = tuple(p for p in speech.phrases if is_kept(p.end_samples - 1, p.end_samples))
    return SpeechTrack(
        sound_S=(speech.sound_S * smoothed).astype(np.float32), phones=phones, phrases=phrases, text=speech.text
    )


def _alive(
    rng: np.random.Generator, num_frames: int, turns: _Turns, liveliness: float, kind: ClipKind
) -> tuple[Track, list[int]]:
    """Everything but directions, reactions and mouth; and the frames where blinks begin."""
    state_TK = resting_state(num_frames + WARM_UP_FRAMES)
    add_life(rng, state_TK, liveliness=liveliness * (0.75 if kind == "listen" else 1.0))
    add_glances(rng, state_TK, per_second={"speak": 0.12, "listen": 0.2, "converse": 0.12, "idle": 0.35}[kind])
    state_TK = state_TK[WARM_UP_FRAMES:]
    blinks = add_speech_gestures(rng, state_TK, turns.speech, liveliness=liveliness)
    blinks += [b for b in spontaneous_blinks(rng, num_frames) if all(abs(b - other) > 12 for other in blinks)]
    return state_TK, sorted(blinks)


def _limit(state_TK: Track) -> None:
    """Keeps every channel in its range; poses approach their limits softly."""
    for name, limit in _LIMITS.items():
        values = state_TK[:, channel(name)]
        state_TK[:, channel(name)] = np.where(
            np.abs(values) > 0.8 * limit, np.sign(values) * _soft(np.abs(values), limit), values
        )
    for name in ("lean", "sway", "shoulders", "gaze_x", "gaze_y", "brow_left", "brow_right", "mouth_width", "smile"):
        np.clip(state_TK[:, channel(name)], -1.0, 1.0, out=state_TK[:, channel(name)])
    for name in ("breath", "blink", "squint", *(m for m in MOUTH if m != "mouth_width")):
        np.clip(state_TK[:, channel(name)], 0.0, 1.0, out=state_TK[:, channel(name)])


def _soft(size: Track, limit: float) -> Track:
    knee = 0.8 * limit
    room = limit - knee
    return np.asarray(knee + room * np.tanh((size - knee) / room), dtype=np.float32)
