"""The one door through which FFmpeg sees a stranger's file: format forced, local file only, sizes limited.

Called by the readers of sound and film. FFmpeg left alone follows scripts and playlists to other files and to the network; here it
is told what the file is, may speak only the `file` protocol, and may not make a picture larger than the limit.
"""

from pathlib import Path
from typing import Final

import av
import av.container

from engine.media.sniff import Container

MAX_SIDE_PX: Final = 4096
FFMPEG_FORMATS: Final = {Container.MP4: "mp4", Container.MATROSKA: "matroska"}
_VIDEO_CODECS: Final = ("h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "libvpx", "libvpx-vp9", "mpeg4", "mjpeg")
_SOUND_CODECS: Final = ("aac", "mp3", "mp3float", "opus", "libopus", "vorbis", "flac", "alac", "ac3")
CODECS: Final = _VIDEO_CODECS + _SOUND_CODECS


def open_untrusted(path: Path, container: Container) -> av.container.InputContainer:
    """Open a file that was sniffed as `container`; the caller closes it. FFmpeg's own errors pass through."""
    options = {
        "protocol_whitelist": "file",
        "max_pixels": str(MAX_SIDE_PX * MAX_SIDE_PX),
        "codec_whitelist": ",".join(CODECS),
    }
    media = av.open(str(path.resolve()), mode="r", format=FFMPEG_FORMATS[container], options=options)
    for stream in media.streams:
        if stream.codec_context is not None:
            stream.codec_context.options = {"max_pixels": options["max_pixels"]}
            stream.codec_context.thread_count = 1
    return media
