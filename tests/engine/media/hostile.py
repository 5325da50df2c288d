"""Files that a stranger might send: scripts, archives, bombs and halves. Made here, so that none has to be kept."""

import struct
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import soundfile


def png_bytes(side_px: int = 32) -> bytes:
    noise_HWC = np.random.default_rng(0).integers(0, 255, (side_px, side_px, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".png", noise_HWC)[1].tobytes())


def huge_png(path: Path) -> Path:
    """A valid header of 20000 x 20000 and hardly any data."""
    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b""))
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def hostile_sounds(folder: Path) -> dict[str, Path]:
    """What must be refused where a sound is wanted, by what it is."""
    secret = folder / "secret.wav"
    soundfile.write(secret, np.zeros(2400, np.float32), 24000)
    texts = {
        "ffconcat.mp4": f"ffconcat version 1.0\nfile '{secret}'\n",
        "playlist.m3u8": f"#EXTM3U\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
        "text.wav": "this is a letter, not a sound",
        "empty.wav": "",
        "riff_only.wav": "RIFF\x24\x00\x00\x00WAVE",
        "ftyp_only.mp4": "\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2",
    }
    paths = {}
    for name, text in texts.items():
        paths[name] = folder / name
        paths[name].write_bytes(text.encode("latin-1"))
    with zipfile.ZipFile(folder / "archive.mp3", "w") as archive:
        archive.writestr("a.txt", "a" * 1000)
    paths["archive.mp3"] = folder / "archive.mp3"
    for name, value in (("nan.wav", np.nan), ("inf.wav", np.inf), ("loud.wav", 30000.0)):
        sound_S = np.zeros(2400, np.float32)
        sound_S[1000] = value
        paths[name] = folder / name
        soundfile.write(paths[name], sound_S, 24000, subtype="FLOAT")
    paths["no_samples.wav"] = folder / "no_samples.wav"
    soundfile.write(paths["no_samples.wav"], np.zeros(0, np.float32), 24000)
    return paths


def eight_hours(path: Path) -> Path:
    """A FLAC of eight hours of silence; small, because silence is."""
    with soundfile.SoundFile(path, "w", 2000, 1, format="FLAC") as file:
        for _ in range(8):
            file.write(np.zeros(2000 * 3600, np.int16))
    return path
