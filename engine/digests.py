"""The hash of an array: two arrays with the same hash are the same in shape, kind and numbers."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def array_digest(values: NDArray[Any]) -> str:
    """SHA-256 in hexadecimal digits."""
    contiguous = np.ascontiguousarray(values)
    head = f"{contiguous.dtype.str} {contiguous.shape} ".encode()
    return hashlib.sha256(head + contiguous.tobytes()).hexdigest()
