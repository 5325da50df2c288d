"""Films: equal lengths, colours and sound come back, and nothing but a whole film is ever left."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.errors import BadInputError
from engine.media.film import FilmWriter
from engine.media.film_reading import probe_film, read_film_frames
from engine.media.film_sound import FilmSound, character_voice
from engine.media.film_voice import read_film_voice
from engine.media.sound import read_sound
from tests.engine.media.hostile import hostile_sounds

SIZE_PX = 64


def moving_picture(num_frames: int) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(40, 215, (3, 3, 3), dtype=np.uint8)
    still = cv2.resize(coarse, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_CUBIC)
    return np.stack([np.roll(still, frame, axis=1) for frame in range(num_frames)])


def voice(num_samples: int, hz: float = 300.0) -> np.ndarray:
    return (0.4 * np.sin(2 * np.pi * hz * np.arange(num_samples) / 24000)).astype(np.float32)


@pytest.mark.parametrize("num_frames", [1, 5, 24, 53])
@pytest.mark.parametrize("tracks", ["none", "speak", "both"])
def test_sound_and_picture_have_the_same_length(tmp_path: Path, num_frames: int, tracks: str) -> None:
    path = tmp_path / "film.mp4"
    speak_S = None if tracks == "none" else voice(num_frames * 1000 - 300)
    listen_S = voice(700, 500.0) if tracks == "both" else None
    frames_THWC = moving_picture(num_frames)
    with FilmWriter(path, size_px=SIZE_PX, sound=FilmSound(speak_S=speak_S, listen_S=listen_S)) as film:
        for start in range(0, num_frames, 7):
            film.append(frames_THWC[start : start + 7])
        film.commit()
    facts = probe_film(path)
    assert facts.num_frames == num_frames and facts.frame_rate_hz == 24
    assert (facts.video_codec, facts.sound_codec, facts.sound_rate_hz) == ("h264", "aac", 48000)
    assert facts.num_channels == (2 if tracks == "both" else 1)
    assert facts.video_s == pytest.approx(num_frames / 24, abs=1e-3)
    assert facts.sound_s == pytest.approx(num_frames / 24, abs=2e-3)
    assert len(list(read_film_frames(path))) == num_frames
    assert [item.name for item in tmp_path.iterdir()] == ["film.mp4"]


def test_frames_and_voice_come_back(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    frames_THWC, speak_S = moving_picture(24), voice(24000)
    with FilmWriter(path, size_px=SIZE_PX, sound=FilmSound(speak_S=speak_S)) as film:
        film.append(frames_THWC)
        film.commit()
    error_THWC = np.stack(list(read_film_frames(path))).astype(float) - frames_THWC
    assert 10 * np.log10(255**2 / np.mean(error_THWC**2)) > 32
    assert np.abs(error_THWC.mean((0, 1, 2))).max() < 0.7  # colours keep their values
    heard_S = read_sound(path)
    assert np.corrcoef(heard_S[2000:22000], speak_S[2000:22000])[0, 1] > 0.99  # in step to the sample


def test_the_same_frames_are_always_the_same_film(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    tiles_THWC = random.integers(30, 226, (12, 24, 24, 3)).repeat(8, axis=1).repeat(8, axis=2)
    frames_THWC = (tiles_THWC + random.integers(-20, 20, tiles_THWC.shape)).astype(np.uint8)
    films = []
    for size in random.integers(1_000, 3_000_000, 20):
        random.bytes(size)  # what memory held before must not matter
        with FilmWriter(tmp_path / "film.mp4", size_px=192) as film:
            film.append(frames_THWC)
            film.commit()
        films.append(np.stack(list(read_film_frames(tmp_path / "film.mp4"))))
    for other in films[1:]:
        np.testing.assert_array_equal(other, films[0])


def test_two_voices_stand_apart_and_never_clip() -> None:
    sound = FilmSound(
        speak_S=np.ones(2000, np.float32), listen_S=np.concatenate([np.zeros(1000), np.ones(1000)]).astype("f")
    )
    mix_CS = sound.cut(0, 3)
    assert mix_CS.shape == (2, 3000) and mix_CS.dtype == np.float32
    assert mix_CS[0, 500] > mix_CS[1, 500] > 0.5
    assert np.abs(mix_CS).max() <= 1.0
    assert not mix_CS[:, 2000:].any()


def test_the_characters_voice_comes_back_out_of_the_mix() -> None:
    random = np.random.default_rng(1)
    speak_S, listen_S = random.uniform(-0.9, 0.9, (2, 3000)).astype(np.float32)  # loud enough for the mix to bend
    mix_CS = FilmSound(speak_S=speak_S, listen_S=listen_S).cut(0, 3)
    assert np.abs(mix_CS).max() > 0.95
    np.testing.assert_allclose(character_voice(mix_CS), speak_S, atol=2e-3)
    np.testing.assert_array_equal(character_voice(FilmSound(speak_S=speak_S).cut(0, 3)), speak_S)


def test_the_characters_voice_comes_back_out_of_a_film(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    speak_S, listen_S = voice(24000), voice(24000, 500.0)
    speak_S[12000:] = 0.0
    with FilmWriter(path, size_px=SIZE_PX, sound=FilmSound(speak_S=speak_S, listen_S=listen_S)) as film:
        film.append(moving_picture(24))
        film.commit()
    heard_S = read_film_voice(path)
    assert 0 <= len(heard_S) - 24000 < 1024, "the last block of sound is whole"
    assert np.corrcoef(heard_S[:23900], speak_S[:23900])[0, 1] > 0.99  # in step to the sample, and without the partner
    assert np.abs(heard_S[13000:23000]).max() < 0.02


def test_a_film_without_sound_has_no_voice(tmp_path: Path) -> None:
    path = tmp_path / "mute.mp4"
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 24.0, (SIZE_PX, SIZE_PX))
    for frame_HWC in moving_picture(4):
        film.write(frame_HWC)
    film.release()
    with pytest.raises(BadInputError, match="no sound; give the voice"):
        read_film_voice(path)


def test_an_error_leaves_nothing_and_the_old_film_stays(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"the film of yesterday")
    with pytest.raises(KeyboardInterrupt), FilmWriter(path, size_px=SIZE_PX) as film:
        film.append(moving_picture(40))
        raise KeyboardInterrupt
    assert path.read_bytes() == b"the film of yesterday"
    assert [item.name for item in tmp_path.iterdir()] == ["film.mp4"]


def test_a_folder_that_is_not_there_and_one_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="does not exist"):
        FilmWriter(tmp_path / "nowhere" / "film.mp4", size_px=SIZE_PX)
    with pytest.raises(BadInputError, match="this is a folder"):
        FilmWriter(tmp_path, size_px=SIZE_PX)


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="file size limits are a POSIX thing")
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    script = """
        import resource, sys
        from pathlib import Path
        import numpy as np
        from engine.errors import BadInputError
        from engine.media.film import FilmWriter
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
        noise = np.random.default_rng(0).integers(0, 255, (24, 64, 64, 3), dtype=np.uint8)
        try:
            with FilmWriter(Path(sys.argv[1]), size_px=64) as film:
                for _ in range(20):
                    film.append(noise)
                film.commit()
        except BadInputError as error:
            sys.exit(0 if "cannot be written" in str(error) else 3)
        sys.exit(4)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "film.mp4")]
    assert subprocess.run(command, check=False, cwd=Path(__file__).parents[3]).returncode == 0
    assert not list(tmp_path.iterdir())


def test_hostile_films_are_refused(tmp_path: Path) -> None:
    paths = hostile_sounds(tmp_path)
    for name in ("ffconcat.mp4", "playlist.m3u8", "text.wav", "empty.wav", "ftyp_only.mp4", "archive.mp3"):
        with pytest.raises(BadInputError) as caught:
            probe_film(paths[name])
        assert "\n" not in str(caught.value)
