"""A safetensors file of any size, mapped read-only: tensors without a copy, pages read when they are touched.

Called by whatever keeps weights on disk: the streamed transformer, mapped packs, the converter. The library's own reader for torch maps a
file writable, which systems refuse for one larger than memory; it is used here to check the header only.
"""

import json
import math
import mmap
import warnings
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

DTYPES: Final = MappingProxyType({
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
})  # fmt: skip


class MappedTensors:
    """The tensors of one file. The mapping lives as long as a tensor made from it."""

    def __init__(self, path: Path) -> None:
        """Maps the file; `OSError` where it cannot be read, `SafetensorError` where it is no whole safetensors file."""
        with safe_open(path, framework="np"):  # checks lengths, offsets and shapes against each other and the file
            pass
        with path.open("rb") as file:
            header_size = int.from_bytes(file.read(8), "little")
            table = json.loads(file.read(header_size))
            self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._start = 8 + header_size
        table.pop("__metadata__", None)
        unknown = sorted({str(facts["dtype"]) for facts in table.values()} - DTYPES.keys())
        if unknown:
            raise SafetensorError(f"number formats {', '.join(unknown)} are not known here")
        self._offsets: dict[str, int] = {name: facts["data_offsets"][0] for name, facts in table.items()}
        self.shapes: dict[str, tuple[int, ...]] = {name: tuple(facts["shape"]) for name, facts in table.items()}
        self.dtypes: dict[str, torch.dtype] = {name: DTYPES[facts["dtype"]] for name, facts in table.items()}

    def tensor(self, name: str) -> Tensor:
        """One tensor, not to be written to."""
        shape, dtype = self.shapes[name], self.dtypes[name]
        if not math.prod(shape):
            return torch.empty(shape, dtype=dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that the buffer cannot be written to, which is meant
            flat = torch.frombuffer(
                self._mapped, dtype=dtype, count=math.prod(shape), offset=self._start + self._offsets[name]
            )
        return flat.reshape(shape)

    def all(self) -> dict[str, Tensor]:
        """Every tensor by its name."""
        return {name: self.tensor(name) for name in self.shapes}

    def __enter__(self) -> Self:
        """The file is open since the beginning."""
        return self

    def __exit__(self, *error: object) -> None:
        """Let go of the mapping. Each tensor holds it too, so it goes with the last of them; it is never closed by force."""
        del self._mapped
