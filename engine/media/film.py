"""Writing a film as it is generated: H.264 and AAC in an MP4, 24 frames a second, sound and picture of equal length.

Called by every job that ends in a film. Memory does not grow with the length, and the final name appears only with `commit()`:
leaving the `with` block without it, by an error or by Ctrl+C, removes everything that was written.
"""

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import av
import av.container
import numpy as np
import soxr
from numpy.typing import NDArray

from engine.errors import MissingDependencyError
from engine.media.film_sound import FilmSound
from engine.media.rates import FILM_SOUND_RATE_HZ
from engine.media.whole_files import WholeFile, cannot_write
from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ

_X264: Final = "libx264"
H264_ENCODERS: Final = (_X264, "h264_videotoolbox", "h264_mf", "libopenh264")
_X264_OPTIONS: Final = {"crf": "17", "x264-params": "mbtree=0"}
"""Without macroblock trees: with them x264's assembly does not always make the same film of the same frames (13 of 300 encodings of 12
small frames differed, one film of the tests by 36 of 255); without, two films were 2 and 17 % larger, 0.7 dB farther and 0.3 nearer."""

X264Preset = Literal["fast", "superfast"]
"""`superfast` is for films beside a live session: 2.7 ms a frame of 384 pixels for 6.4, files half as large again, 0.8 dB farther."""

_BIT_RATE: Final = 4_000_000  # for the encoders that have no constant quality
_SOUND_BIT_RATE: Final = 128_000
_KEYFRAME_FRAMES: Final = 48
DISCLOSURE: Final = "AI generated with LPM Studio; not a recording of a person"
"""What every film says of itself in its metadata, where players and checks look for it."""

_BT709: Final = 1
_LIMITED_RANGE: Final = 1
_BICUBIC_ACCURATE: Final = 0x4 | 0x40000 | 0x4000  # swscale's flags; its fast default costs 16 dB
_SOUND_SAMPLES_PER_FRAME: Final = FILM_SOUND_RATE_HZ // FRAME_RATE_HZ


def pick_h264_encoder() -> str:
    """The H.264 encoder to use on this machine; `MissingDependencyError` where PyAV was built without one."""
    for name in H264_ENCODERS:
        if name in av.codec.codecs_available and _can_encode(name):
            return name
    raise MissingDependencyError("no H.264 encoder was found; reinstall PyAV with `pip install --force-reinstall av`")


def _can_encode(name: str) -> bool:
    try:
        av.Codec(name, "w")
    except ValueError:  # known to PyAV, but only as a decoder
        return False
    return True


class FilmWriter:
    """A film being written beside its final name: append frames in order, then commit.

    with FilmWriter(path, size_px=192, sound=FilmSound(speak_S=voice)) as film:
        film.append(frames_THWC)
        film.commit()
    """

    def __init__(
        self, path: Path, *, size_px: int, sound: FilmSound | None = None, preset: X264Preset = "fast"
    ) -> None:
        """Open the temporary file; `BadInputError` where the folder is missing or cannot be written. Only x264 knows presets."""
        if size_px < 16 or size_px % 2:
            raise ValueError(f"a film's side must be even and at least 16 px, not {size_px}")
        self._size_px = size_px
        self._sound = sound or FilmSound()
        self._num_frames = 0
        self._num_sound_samples = 0
        self._resampler = soxr.ResampleStream(
            SOUND_RATE_HZ, FILM_SOUND_RATE_HZ, self._sound.num_channels, dtype="float32", quality="HQ"
        )
        encoder = pick_h264_encoder()
        self._file = WholeFile(path)
        try:
            self._open_streams(encoder, preset)
        except BaseException as error:
            self._file.discard()
            if isinstance(error, OSError):
                raise cannot_write(path, error) from None
            raise

    def _open_streams(self, encoder: str, preset: X264Preset) -> None:
        # A film in the making can be cut off at any time; the index goes to the front when it is complete.
        self._container = av.open(
            str(self._file.temporary), "w", format="mp4", container_options={"movflags": "+faststart"}
        )
        self._container.metadata["comment"] = DISCLOSURE
        options = {**_X264_OPTIONS, "preset": preset} if encoder == _X264 else None
        picture = self._container.add_stream(encoder, rate=FRAME_RATE_HZ, options=options)
        assert isinstance(picture, av.VideoStream)
        picture.width = picture.height = self._size_px
        picture.pix_fmt = "yuv420p"
        picture.gop_size = _KEYFRAME_FRAMES
        context = picture.codec_context
        context.thread_count = 1  # small pictures; the cores belong to the model
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        if encoder != _X264:
            picture.bit_rate = _BIT_RATE
        layout = "stereo" if self._sound.num_channels == 2 else "mono"
        voice = self._container.add_stream("aac", rate=FILM_SOUND_RATE_HZ, layout=layout)
        assert isinstance(voice, av.AudioStream)
        voice.bit_rate = _SOUND_BIT_RATE
        self._picture, self._voice, self._layout = picture, voice, layout

    @property
    def num_frames(self) -> int:
        """How many frames have been appended."""
        return self._num_frames

    def append(self, frames_THWC: NDArray[np.uint8]) -> None:
        """Write the next frames, uint8 RGB [T, size, size, 3], and the sound that belongs to them."""
        wanted = (self._size_px, self._size_px, 3)
        if frames_THWC.dtype != np.uint8 or frames_THWC.ndim != 4 or frames_THWC.shape[1:] != wanted:
            raise ValueError(f"frames must be uint8 [T, {wanted}], not {frames_THWC.dtype} {frames_THWC.shape}")
        sound_CS = self._sound.cut(self._num_frames, len(frames_THWC))
        try:
            for frame_HWC in frames_THWC:
                self._container.mux(self._picture.encode(self._video_frame(frame_HWC)))
            self._write_sound(self._resampler.resample_chunk(np.ascontiguousarray(sound_CS.T)))
        except OSError as error:
            raise cannot_write(self._file.path, error) from None

    def _video_frame(self, frame_HWC: NDArray[np.uint8]) -> av.VideoFrame:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame_HWC), format="rgb24")
        frame = frame.reformat(
            format="yuv420p",
            interpolation=_BICUBIC_ACCURATE,
            src_color_range="JPEG",
            dst_colorspace="ITU709",
            dst_color_range="MPEG",
        )
        frame.pts, frame.time_base = self._num_frames, Fraction(1, FRAME_RATE_HZ)
        self._num_frames += 1
        return frame

    def _write_sound(self, sound_SC: NDArray[np.float32]) -> None:
        if not len(sound_SC):
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound_SC.T), format="fltp", layout=self._layout)
        frame.sample_rate = FILM_SOUND_RATE_HZ
        frame.pts = self._num_sound_samples
        self._num_sound_samples += len(sound_SC)
        self._container.mux(self._voice.encode(frame))

    def commit(self) -> None:
        """Finish the film and put it under its final name; `BadInputError` where the disk does not take it."""
        assert self._num_frames, "a film has at least one frame"
        rest_SC = self._resampler.resample_chunk(np.zeros((0, self._sound.num_channels), np.float32), last=True)
        try:
            self._write_sound(rest_SC[: self._num_frames * _SOUND_SAMPLES_PER_FRAME - self._num_sound_samples])
            self._container.mux(self._picture.encode(None))
            self._container.mux(self._voice.encode(None))
            self._container.close()
        except OSError as error:
            raise cannot_write(self._file.path, error) from None
        self._file.commit()

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove everything unless `commit` has put it in its place."""
        try:
            self._container.close()
        except OSError:
            pass  # the disk is full or gone: what matters is that the rest is removed
        finally:
            self._file.discard()
