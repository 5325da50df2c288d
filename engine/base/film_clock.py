"""Frames and latents of a film that begins behind a still (paper 3.3): the codec's own arithmetic, the still taken off.

A performance continues from a portrait, which is latent -1. Codecs differ in what their first latent decodes to (four frames, or
one as Wan's); that first latent is the portrait, so the film's own latents are all alike.
"""

from dataclasses import dataclass

from engine.codec.protocol import VideoCodec


@dataclass(frozen=True)
class FilmClock:
    """Where latents lie in a film; latent 0 begins at frame 0, latent -1 is the still before it."""

    codec: VideoCodec

    def num_latents(self, num_frames: int) -> int:
        """Latents that cover so many frames of film, the last one perhaps in part."""
        return self.codec.num_latents(self.codec.num_frames(1) + num_frames) - 1

    def start_frame(self, latent: int) -> int:
        """The first frame of a latent; negative for the still, whose time before the film is that of any other latent."""
        if latent < 0:
            return latent * self.codec.frames_per_latent
        return self.codec.num_frames(1 + latent) - self.codec.num_frames(1)
