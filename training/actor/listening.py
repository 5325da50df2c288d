"""How the character listens: written rules from the partner's sound to nods, brows, smiles, leaning and gaze.

The rules are a deterministic, causal function of the sound (docs/listening_rules.md says them in words), so that a model's
listening can be measured on any recording. `performance` lays them over idle life; the benchmark asks `listening_events`.
The mouth stays closed, always.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from training.actor.hearing import HOP_S, HOP_SAMPLES, PITCH_HOP_S, Heard, hear
from training.actor.motion import add_pulse, follow, plateau
from training.actor.state import channel

SAMPLES_PER_FRAME: Final = 1000

NOD_PAUSE_S: Final = 0.25  # a pause this long ...
NOD_SPEECH_S: Final = 1.0  # ... after this much speech ...
NOD_LATENCY_FRAMES: Final = 4  # ... makes a nod begin this many frames later
NOD_GAP_S: Final = 1.2  # nods begin at least this far apart
LONG_SPEECH_S: Final = 2.4  # speech that goes on for so long without a pause gets a nod at the end of its next burst
NOD_SIZE: Final = 0.17  # radians of pitch of a nod after one second of speech
NOD_GROWTH: Final = 0.02  # radians more per further second of speech
LARGEST_NOD: Final = 0.23
FORGET_PAUSE_S: Final = 0.6  # a pause this long forgets what little was said before it
NOD_SHAPE: Final = (
    0.18,
    0.52,
    0.85,
    1.0,
    0.9,
    0.62,
    0.3,
    0.06,
    0.0,
    0.12,
    0.32,
    0.45,
    0.42,
    0.28,
    0.12,
    0.0,
    -0.05,
    -0.03,
)
NOD_PEAK_FRAMES: Final = 3  # the deepest point of NOD_SHAPE

BROW_RISE_SEMITONES: Final = 3.5
BROW_MOST_SEMITONES: Final = 10.0  # more is an octave error, not a melody
BROW_RECENT_S: Final = 0.14
BROW_BEFORE_S: Final = 0.5
BROW_LATENCY_FRAMES: Final = 3
BROW_GAP_S: Final = 2.0
BROW_SIZE: Final = 0.85
BROW_FRAMES: Final = 18

LAUGH_BURSTS: Final = 6
LAUGH_SHORTEST_S: Final = 0.14
LAUGH_LONGEST_S: Final = 0.28
LAUGH_UNEVENNESS: Final = 0.1
SMILE_LATENCY_FRAMES: Final = 3
SMILE_HOLD_S: Final = 1.2
SMILE_SIZE: Final = 0.9

QUIET_DB: Final = -36.0
QUIET_WINDOW_S: Final = 1.5
QUIET_SPEECH_S: Final = 0.5
LEAN_LATENCY_FRAMES: Final = 3
LEAN_SIZE: Final = 0.8

ATTENTION_S: Final = 1.0  # the gaze stays on the partner until this long after speech

Rule = Literal["nod", "brow", "smile", "lean"]
Track = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class ListeningEvent:
    """A reaction: the frame at which its movement begins, the rule, and the size of the movement."""

    frame: int
    rule: Rule
    size: float


def listening_events(listen_S: Track) -> tuple[ListeningEvent, ...]:
    """All reactions to a partner's sound at 24 kHz, in order of time; a function of the past sound only."""
    return events_of(hear(listen_S))


def events_of(heard: Heard) -> tuple[ListeningEvent, ...]:
    """As `listening_events`, from an analysis already made."""
    return tuple(sorted(_nods(heard) + _brows(heard) + _smiles(heard) + _leans(heard)))


def add_listening(state_TK: Track, listen_S: Track) -> tuple[ListeningEvent, ...]:
    """Gaze and reactions to a partner's sound, added to a state in place; returns the reactions."""
    heard = hear(listen_S)
    attend(state_TK, heard)
    return react(state_TK, heard)


def attend(state_TK: Track, heard: Heard) -> None:
    """Keeps the gaze on the partner while there is speech, in place: glances aside are for the silences."""
    attention = _attention(heard, len(state_TK))
    for name in ("gaze_x", "gaze_y"):
        state_TK[:, channel(name)] *= 1.0 - attention


def react(state_TK: Track, heard: Heard) -> tuple[ListeningEvent, ...]:
    """Adds nods, brows, smiles and leaning to a state in place and returns them."""
    events = events_of(heard)
    num_frames = len(state_TK)
    lean, smile = np.zeros(num_frames, dtype=np.float32), np.zeros(num_frames, dtype=np.float32)
    for event in events:
        if event.rule == "nod":
            add_pulse(state_TK[:, channel("pitch")], event.frame, NOD_SHAPE, -event.size)
        elif event.rule == "brow":
            for name in ("brow_left", "brow_right"):
                add_pulse(state_TK[:, channel(name)], event.frame, plateau(BROW_FRAMES, 5), event.size)
        elif event.rule == "smile":
            smile[event.frame : event.frame + int(SMILE_HOLD_S * 24)] = event.size
        else:
            lean[event.frame : event.frame + int(QUIET_WINDOW_S * 24)] = event.size
    state_TK[:, channel("smile")] += follow(smile, 0.35)
    state_TK[:, channel("squint")] += 0.5 * follow(smile, 0.4)
    state_TK[:, channel("lean")] += follow(lean, 0.8)
    return events


def _decision_frame(hop: int) -> int:
    """The frame during which the sound of a hop has been heard to its end."""
    return ((hop + 1) * HOP_SAMPLES - 1) // SAMPLES_PER_FRAME


def _nods(heard: Heard) -> list[ListeningEvent]:
    events: list[ListeningEvent] = []
    burst_hops = frozenset(heard.burst_hops)
    speech_s, pause_s, last_s = 0.0, 0.0, -NOD_GAP_S
    for hop, is_active in enumerate(heard.is_active.tolist()):
        if is_active:
            speech_s, pause_s = speech_s + min(pause_s, NOD_PAUSE_S) + HOP_S, 0.0
        else:
            pause_s += HOP_S
        is_pause = abs(pause_s - NOD_PAUSE_S) < HOP_S / 2 and speech_s >= NOD_SPEECH_S
        is_long = hop in burst_hops and speech_s >= LONG_SPEECH_S
        if is_pause or is_long:
            if hop * HOP_S - last_s >= NOD_GAP_S:
                size = min(NOD_SIZE + NOD_GROWTH * (speech_s - NOD_SPEECH_S), LARGEST_NOD)
                events.append(ListeningEvent(frame=_decision_frame(hop) + NOD_LATENCY_FRAMES, rule="nod", size=size))
                last_s = hop * HOP_S
            speech_s = 0.0
        elif pause_s >= FORGET_PAUSE_S:
            speech_s = 0.0
    return events


def _brows(heard: Heard) -> list[ListeningEvent]:
    events: list[ListeningEvent] = []
    octaves = heard.pitch_octaves
    recent, before = round(BROW_RECENT_S / PITCH_HOP_S), round(BROW_BEFORE_S / PITCH_HOP_S)
    if len(octaves) <= recent + before:
        return events
    windows = np.lib.stride_tricks.sliding_window_view(octaves, recent + before)
    is_voiced = np.isfinite(windows)
    enough = (is_voiced[:, before:].sum(axis=1) >= recent - 2) & (is_voiced[:, :before].sum(axis=1) >= before // 3)
    last_s = -BROW_GAP_S
    for start in np.flatnonzero(enough).tolist():
        now_s = (start + recent + before) * PITCH_HOP_S
        if now_s - last_s < BROW_GAP_S:
            continue
        rise = 12 * float(np.nanmedian(windows[start, before:]) - np.nanmedian(windows[start, :before]))
        if BROW_RISE_SEMITONES <= rise <= BROW_MOST_SEMITONES:
            frame = _decision_frame(2 * (start + recent + before) - 1) + BROW_LATENCY_FRAMES
            events.append(ListeningEvent(frame=frame, rule="brow", size=BROW_SIZE))
            last_s = now_s
    return events


def _smiles(heard: Heard) -> list[ListeningEvent]:
    events: list[ListeningEvent] = []
    peaks = np.asarray(heard.burst_peak_hops, dtype=np.float64) * HOP_S
    last_s = -SMILE_HOLD_S
    for index in range(LAUGH_BURSTS - 1, len(peaks)):
        gaps = np.diff(peaks[index - LAUGH_BURSTS + 1 : index + 1])
        is_rhythm = (
            gaps.min() >= LAUGH_SHORTEST_S
            and gaps.max() <= LAUGH_LONGEST_S
            and gaps.std() <= LAUGH_UNEVENNESS * gaps.mean()
        )
        hop = heard.burst_hops[index]
        if is_rhythm and hop * HOP_S - last_s >= 0.8 * SMILE_HOLD_S:
            events.append(
                ListeningEvent(frame=_decision_frame(hop) + SMILE_LATENCY_FRAMES, rule="smile", size=SMILE_SIZE)
            )
            last_s = hop * HOP_S
    return events


def _leans(heard: Heard) -> list[ListeningEvent]:
    events: list[ListeningEvent] = []
    active = heard.is_active
    window = round(QUIET_WINDOW_S / HOP_S)
    counts = np.concatenate([[0], np.cumsum(active)])
    levels = np.concatenate([[0.0], np.cumsum(np.where(active, heard.level_db, 0.0))])
    ends = np.arange(1, len(active) + 1)
    starts = np.maximum(ends - window, 0)
    num = counts[ends] - counts[starts]
    mean_db = (levels[ends] - levels[starts]) / np.maximum(num, 1)
    last_s = -QUIET_WINDOW_S
    for hop in np.flatnonzero((num >= QUIET_SPEECH_S / HOP_S) & (mean_db < QUIET_DB)).tolist():
        if hop * HOP_S - last_s >= 0.9 * QUIET_WINDOW_S:
            events.append(ListeningEvent(frame=_decision_frame(hop) + LEAN_LATENCY_FRAMES, rule="lean", size=LEAN_SIZE))
            last_s = hop * HOP_S
    return events


def _attention(heard: Heard, num_frames: int) -> Track:
    """1 while the partner speaks and for ATTENTION_S after, eased: how firmly the gaze stays on the partner."""
    target = np.zeros(num_frames, dtype=np.float32)
    for hop in np.flatnonzero(heard.is_active).tolist():
        frame = _decision_frame(hop) + 1
        target[frame : frame + int(ATTENTION_S * 24)] = 1.0
    return np.clip(follow(target, 0.3), 0.0, 1.0)
