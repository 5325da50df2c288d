"""Safetensors files mapped read-only: the library's own numbers, without a copy, at any size, and nothing but whole files."""

from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from engine.interop.tensor_file import TensorSpec, header_bytes
from engine.mapped_tensors import MappedTensors

TENSORS = {
    "a": torch.randn(3, 5),
    "half": torch.randn(7).bfloat16(),
    "number": torch.tensor(4),
    "nothing": torch.zeros(0, 2),
    "yes": torch.tensor([True, False]),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_file(TENSORS, tmp_path / "x.safetensors", metadata={"format": "pt"})
    return tmp_path / "x.safetensors"


def test_what_was_saved_is_there_and_outlives_the_mapping(path: Path) -> None:
    with MappedTensors(path) as file:
        found = file.all()
    assert found.keys() == TENSORS.keys()
    assert all(
        torch.equal(tensor, found[name]) and tensor.dtype == found[name].dtype for name, tensor in TENSORS.items()
    )


def test_a_file_larger_than_memory_can_be_opened(tmp_path: Path) -> None:
    """A sparse file of a terabyte: only the pages that are touched are read."""
    path, specs = tmp_path / "large.safetensors", {
        "first": TensorSpec(shape=(2**38,), dtype=torch.float32),
        "last": TensorSpec(shape=(3,), dtype=torch.float32),
    }  # fmt: skip
    with path.open("wb") as file:
        file.write(header_bytes(specs))
        file.truncate(file.tell() + sum(spec.nbytes for spec in specs.values()))
        file.seek(-4, 2)
        file.write(torch.tensor([2.5]).numpy().tobytes())
    with MappedTensors(path) as large:
        assert large.tensor("last").tolist() == [0.0, 0.0, 2.5]
        assert large.tensor("first").shape == (2**38,)


@pytest.mark.parametrize("damage", ["short", "long header", "text"])
def test_what_is_no_whole_file_is_refused(path: Path, damage: str) -> None:
    content = path.read_bytes()
    path.write_bytes({"short": content[:-3], "long header": b"\xff" * 8 + content[8:], "text": b"hello"}[damage])
    with pytest.raises(SafetensorError):
        MappedTensors(path)
