"""Pictures in and out: the size is known before decoding, halves are told, transparency and colours are right."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.errors import BadInputError
from engine.media.pictures import read_picture, read_picture_size, square_crop, write_picture
from tests.engine.media.hostile import huge_png, png_bytes


def test_png_keeps_every_value_and_its_channel_order(tmp_path: Path) -> None:
    picture_HWC = np.random.default_rng(1).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    write_picture(tmp_path / "a.png", picture_HWC)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), picture_HWC)
    size = read_picture_size(tmp_path / "a.png")
    assert (size.width_px, size.height_px) == (30, 20)


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_other_kinds_are_read_with_their_size(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    blue_BGR = np.full((40, 60, 3), (200, 60, 20), np.uint8)
    cv2.imwrite(str(path), blue_BGR)
    size = read_picture_size(path)
    assert (size.width_px, size.height_px) == (60, 40)
    assert np.abs(read_picture(path).astype(int) - (20, 60, 200)).max() < 8


def test_the_middle_square_is_taken(tmp_path: Path) -> None:
    picture_HWC = np.zeros((40, 80, 3), np.uint8)
    picture_HWC[:, 20:60] = 255
    write_picture(tmp_path / "wide.png", picture_HWC)
    assert read_picture(tmp_path / "wide.png", 16).min() == 255
    assert square_crop(picture_HWC, 100).shape == (100, 100, 3)


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    hidden = np.zeros((8, 8, 4), np.uint8)
    hidden[:4, :, 3] = 255
    cv2.imwrite(str(tmp_path / "a.png"), hidden)
    picture_HWC = read_picture(tmp_path / "a.png")
    assert picture_HWC[:4].max() == 0 and picture_HWC[4:].min() == 255


def test_a_bomb_is_refused_before_decoding(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"20000 x 20000; at most 4096 x 4096"):
        read_picture(huge_png(tmp_path / "bomb.png"))


@pytest.mark.parametrize("part", [9, 20, 33, 500, -13, -1])
def test_half_a_png_is_refused(tmp_path: Path, part: int) -> None:
    path = tmp_path / "half.png"
    path.write_bytes(png_bytes()[:part])
    with pytest.raises(BadInputError, match="damaged"):
        read_picture(path)


def test_every_cut_of_a_jpeg_and_a_webp_is_refused(tmp_path: Path) -> None:
    noise_HWC = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    for suffix in (".jpg", ".webp"):
        content = cv2.imencode(suffix, noise_HWC)[1].tobytes()
        path = tmp_path / f"cut{suffix}"
        for end in range(16, len(content) - 2, 53):
            path.write_bytes(content[:end])
            with pytest.raises(BadInputError):
                read_picture(path)


def test_text_that_calls_itself_a_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("<svg onload='alert(1)'/>")
    with pytest.raises(BadInputError, match="not a picture"):
        read_picture(tmp_path / "a.png")
