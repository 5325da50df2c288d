"""What every part of the timeline needs, handed round as one thing. Made by the timeline view."""

from dataclasses import dataclass

from studio.playback.player import Player
from studio.qt_models.session import StudioSession
from studio.theme.look import Look
from studio.views.direct.time_scale import TimeScale


@dataclass(kw_only=True)
class TimelineContext:
    """Session, player, look and scale of one timeline, and whether edits snap."""

    session: StudioSession
    player: Player
    look: Look
    scale: TimeScale
    is_snapping: bool = True
