"""A safetensors file written tensor by tensor, which goes on where a killed run left off.

Called by the converter and by whatever makes weights that do not fit into memory. The header is known before the first tensor, so it
is written first; beside the file a journal names each finished tensor with its hash. A resumed run believes a tensor only after
hashing it again.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import torch
from torch import Tensor

DTYPE_NAMES: Final = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
READ_BYTES: Final = 2**22


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """Shape and number format of one tensor to be written."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return math.prod(self.shape) * self.dtype.itemsize


def header_bytes(specs: Mapping[str, TensorSpec]) -> bytes:
    """The header of a safetensors file of these tensors in this order, its length in front, padded to 8 bytes."""
    table: dict[str, dict[str, object]] = {}
    offset = 0
    for name, spec in specs.items():
        end = offset + spec.nbytes
        table[name] = {"dtype": DTYPE_NAMES[spec.dtype], "shape": list(spec.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


class TensorFileWriter:
    """Appends the tensors of `specs` in their order; `next_name` says which is due, None when all are there."""

    def __init__(self, path: Path, specs: Mapping[str, TensorSpec]) -> None:
        """Begin a file, or take up the one that is there as far as its journal holds true."""
        self.path, self.specs = path, dict(specs)
        self.journal_path = path.with_suffix(".journal")
        self._names = list(self.specs)
        self._hash = hashlib.sha256()
        self._num_done = 0
        header = header_bytes(self.specs)
        self._hash.update(header)
        finished_bytes = self._checked(header)
        self._file = path.open("r+b" if path.exists() else "w+b")
        self._file.truncate(finished_bytes)
        self._file.seek(finished_bytes)
        if not finished_bytes:
            self._file.write(header)
        kept = self._journal_lines()[: self._num_done]
        self._journal = self.journal_path.open("w", encoding="utf-8")
        self._journal.writelines(f"{line}\n" for line in kept)
        self._journal.flush()

    @property
    def num_resumed(self) -> int:
        """Tensors found finished or written since."""
        return self._num_done

    @property
    def next_name(self) -> str | None:
        """The tensor to write next."""
        return self._names[self._num_done] if self._num_done < len(self._names) else None

    def write(self, tensor: Tensor) -> None:
        """Write the next tensor in its number format; it must have its shape."""
        name = self.next_name
        assert name is not None
        spec = self.specs[name]
        assert tuple(tensor.shape) == spec.shape, f"{name} has shape {tuple(tensor.shape)}, not {spec.shape}"
        content = tensor.to(spec.dtype).contiguous().reshape(-1).view(torch.uint8).numpy().data
        self._hash.update(content)
        self._file.write(content)
        self._file.flush()
        self._journal.write(json.dumps([name, hashlib.sha256(content).hexdigest()]) + "\n")
        self._journal.flush()
        self._num_done += 1

    def sha256(self) -> str:
        """The hash of the whole file, which must be there; it has reached the disk."""
        assert self.next_name is None, f"{self.next_name} is not written yet"
        os.fsync(self._file.fileno())
        return self._hash.hexdigest()

    def __enter__(self) -> Self:
        """Nothing more happens here; both files are open since the beginning."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close both files, whether all is written or not; the journal stays."""
        self._journal.close()
        self._file.close()

    def _journal_lines(self) -> list[str]:
        if not self.journal_path.is_file():
            return []
        return self.journal_path.read_text(encoding="utf-8", errors="replace").splitlines()

    def _checked(self, header: bytes) -> int:
        """Bytes of the file that are header and finished tensors, hashed again; 0 where nothing can be kept."""
        if not self.path.is_file():
            return 0
        with self.path.open("rb") as file:
            if file.read(len(header)) != header:
                return 0
            position = len(header)
            for name, line in zip(self._names, self._journal_lines(), strict=False):
                digest, trial = hashlib.sha256(), self._hash.copy()
                left = self.specs[name].nbytes
                while left and (part := file.read(min(READ_BYTES, left))):
                    digest.update(part)
                    trial.update(part)
                    left -= len(part)
                if left or line != json.dumps([name, digest.hexdigest()]):
                    break
                self._hash, self._num_done = trial, self._num_done + 1
                position += self.specs[name].nbytes
        return position
