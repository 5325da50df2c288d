"""Sound in and out: limits, hostile files, and that reading in blocks is reading the whole."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.errors import BadInputError
from engine.media.sound import read_sound, sound_length_s, stream_sound, write_wav
from tests.engine.media.hostile import eight_hours, hostile_sounds


def tone(seconds: float, rate_hz: int) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 220.0 * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000, 44100, 48000])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_any_rate_and_container_becomes_the_same_sound(tmp_path: Path, rate_hz: int, suffix: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, np.stack([tone(1.5, rate_hz)] * 2, axis=1), rate_hz)
    sound_S = read_sound(path)
    assert sound_S.dtype == np.float32 and sound_S.ndim == 1
    assert abs(len(sound_S) - 36000) < (3000 if suffix in ("mp3", "ogg") else 2)
    middle = slice(6000, 30000)
    spectrum = np.abs(np.fft.rfft(sound_S[middle]))
    assert abs(np.argmax(spectrum) * 24000 / 24000 - 220) < 3
    assert 0.3 < np.abs(sound_S[middle]).max() < 0.6


def test_blocks_make_the_whole_and_the_length_is_known(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, tone(7.3, 16000), 16000)
    blocks = list(stream_sound(path))
    assert len(blocks) > 2
    np.testing.assert_array_equal(np.concatenate(blocks), read_sound(path))
    assert sound_length_s(path) == pytest.approx(7.3)
    assert len(read_sound(path, 5000)) == 5000


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", tone(1.0, 24000))
    np.testing.assert_allclose(read_sound(tmp_path / "a.wav"), tone(1.0, 24000), atol=1e-4)
    with pytest.raises(BadInputError, match="does not exist"):
        write_wav(tmp_path / "nowhere" / "a.wav", tone(1.0, 24000))


def test_hostile_files_get_one_line_each(tmp_path: Path) -> None:
    for name, path in hostile_sounds(tmp_path).items():
        with pytest.raises(BadInputError) as caught:
            read_sound(path)
        assert str(path) in str(caught.value), name
        assert "\n" not in str(caught.value), name


def test_eight_hours_are_refused_from_the_header(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"8 h 00 min of sound is too long; at most 2 h 00 min"):
        read_sound(eight_hours(tmp_path / "night.flac"))


def test_a_missing_file_a_folder_and_a_text_path(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="there is no such file"):
        read_sound(tmp_path / "nothing.wav")
    with pytest.raises(BadInputError, match="this is a folder"):
        read_sound(tmp_path)
    with pytest.raises(TypeError, match=r"pathlib\.Path"):
        read_sound("http://example.org/a.wav")  # type: ignore[arg-type]


def test_a_flac_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 48000), 24000)
    path.write_bytes(path.read_bytes()[:40000])
    with pytest.raises(BadInputError, match=r"cut\.flac"):
        read_sound(path)
