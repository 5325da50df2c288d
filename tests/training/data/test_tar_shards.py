"""Clips travel in tars and come out the same; a tar from a stranger does nothing and is refused by the name of what is wrong."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file

from engine.errors import BadInputError
from training.data.shards import CLIPS_PER_SHARD, FINGERPRINT_NAME, load_shards, write_tars
from training.data.tar_shards import read_tar

CODEC = "ab" * 32


def write_plain(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / FINGERPRINT_NAME).write_text(CODEC)
    for number in (0, 3):
        tensors = {
            "latents_FCHW": torch.randn(CLIPS_PER_SHARD, 2, 3).half(),
            "text_NL": torch.full((CLIPS_PER_SHARD, 4), number),
        }
        save_file(tensors, folder / f"clips-{number:06d}.safetensors")


def test_a_trainer_reads_the_same_from_tars(tmp_path: Path) -> None:
    write_plain(tmp_path / "plain")
    assert write_tars(tmp_path / "plain", tmp_path / "tars") == 2 * CLIPS_PER_SHARD
    plain, tars = load_shards(tmp_path / "plain"), load_shards(tmp_path / "tars")
    assert plain.keys() == tars.keys() == {"latents_FCHW", "text_NL", "number"}
    assert all(plain[name].equal(tars[name]) and plain[name].dtype == tars[name].dtype for name in plain)
    assert plain["number"].tolist()[CLIPS_PER_SHARD] == 3 * CLIPS_PER_SHARD
    assert load_shards(tmp_path / "tars", names=("text_NL",)).keys() == {"text_NL", "number"}
    first = (tmp_path / "tars" / "clips-000000.tar").read_bytes()
    write_tars(tmp_path / "plain", tmp_path / "tars")
    assert (tmp_path / "tars" / "clips-000000.tar").read_bytes() == first
    with tarfile.open(tmp_path / "tars" / "clips-000003.tar") as tar:
        assert tar.getnames()[:2] == ["000048.json", "000048.safetensors"]


def clip_members(number: int, **tensors: torch.Tensor) -> list[tuple[tarfile.TarInfo, bytes]]:
    told = json.dumps({"format": 1, "number": number, "codec_sha256": CODEC}).encode()
    return [
        plain(f"{number:06d}.json", told),
        plain(f"{number:06d}.safetensors", save(tensors or {"x": torch.zeros(2)})),
    ]


def plain(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member, content


def odd(name: str, kind: bytes, target: str) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def write(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    return path


HOSTILE: dict[str, tuple[Callable[[], list[tuple[tarfile.TarInfo, bytes]]], str]] = {
    "a way out": (lambda: [plain("../../escaped.json", b"{}")], "holds plain files"),
    "an absolute path": (lambda: [plain("/tmp/000001.json", b"{}")], "holds plain files"),
    "a link": (lambda: [odd("000001.safetensors", tarfile.SYMTYPE, "/etc/passwd")], "holds plain files"),
    "a hard link": (lambda: [odd("000001.json", tarfile.LNKTYPE, "/etc/passwd")], "holds plain files"),
    "a device": (lambda: [odd("000001.json", tarfile.CHRTYPE, "")], "holds plain files"),
    "a pickle": (lambda: [plain("000001.pyd", b"\x80\x04.")], "holds plain files"),
    "a pickle under another name": (
        lambda: [clip_members(1)[0], plain("000001.safetensors", b"\x80\x04\x95\x10" * 9)],
        "'000001.safetensors' cannot be used",
    ),
    "no JSON": (lambda: [plain("000001.json", b"{")], "no JSON"),
    "deep JSON": (lambda: [plain("000001.json", b"[" * 60_000)], "no JSON|must tell"),
    "another number": (lambda: [plain("000002.json", clip_members(1)[0][1])], "must tell format 1, number 2"),
    "tensors alone": (lambda: clip_members(1)[1:], "right before it"),
    "JSON alone": (lambda: clip_members(1)[:1], "are missing"),
    "a clip twice": (lambda: clip_members(1) + clip_members(1), "once"),
    "too much": (lambda: [plain("000001.json", b" " * 70_000)], "65536 at most"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_tar_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    make, complaint = HOSTILE[kind]
    path = write(tmp_path / "deep" / "er" / "clips-000000.tar", make())
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInputError, match=complaint) as caught:
        list(read_tar(path))
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before, "nothing is ever extracted"


def test_a_tar_that_is_none_or_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "clips-000000.tar", clip_members(1, x=torch.zeros(4000)))
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(BadInputError, match="is no tar that can be read"):
        list(read_tar(path))
    path.write_bytes(b"not a tar" * 200)
    with pytest.raises(BadInputError, match="is no tar that can be read"):
        list(read_tar(path))


def test_clips_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a" / "clips-000000.tar", clip_members(1) + clip_members(2, x=torch.zeros(3)))
    write(tmp_path / "b" / "clips-000000.tar", clip_members(1) + clip_members(2, y=torch.zeros(2)))
    write(tmp_path / "c" / "clips-000000.tar", clip_members(1))
    (tmp_path / "c" / FINGERPRINT_NAME).write_text("cd" * 32)
    write(tmp_path / "d" / "clips-000000.tar", clip_members(1))
    write(tmp_path / "d" / "clips-000001.tar", clip_members(20, x=torch.zeros(3)))
    for folder, complaint in (
        ("a", "different sizes"),
        ("b", "lacks"),
        ("c", "another codec"),
        ("d", "in other shards"),
    ):
        with pytest.raises(BadInputError, match=complaint):
            load_shards(tmp_path / folder)
