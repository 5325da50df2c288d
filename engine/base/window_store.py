"""Finished windows on disk, each under the hash of its inputs: a stopped film goes on, a changed one keeps what it can.

Called by the performer. A window is written under another name and moved into place, so that whatever is there is whole, also after
a kill; a file that is damaged all the same is made again. Files are safetensors and nothing else.
"""

import contextlib
import logging
import os
import re
import time
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.errors import BadInputError
from engine.media.whole_files import advice_for

_log = logging.getLogger(__name__)

DEFAULT_MAX_BYTES: Final = 4 * 2**30
SUFFIX: Final = ".safetensors"
NAME: Final = "latents_FCHW"
_FINGERPRINT: Final = re.compile("[0-9a-f]{64}")
_STALE_S: Final = 3600.0


class WindowStore:
    """A folder of windows of at most `max_bytes`; the ones that were not used for longest make room."""

    def __init__(self, folder: Path, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        """Make the folder where it is missing; `BadInputError` where that cannot be."""
        self.folder, self.max_bytes = folder, max_bytes
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInputError(
                f"{folder}: finished parts cannot be kept here ({error.strerror or error}); {advice_for(error)}"
            ) from None
        self._forget_halves()
        self._num_bytes = sum(size for _, _, size in self._files())

    def recall(self, fingerprint: str, shape: tuple[int, ...]) -> Tensor | None:
        """The latents [F, C, h, w] that were made from these inputs, on the processor; None where they are not here, or damaged."""
        path = self._path(fingerprint)
        if not path.is_file():
            return None
        try:
            latents_FCHW = load_file(path)[NAME]
            if latents_FCHW.shape != shape or latents_FCHW.dtype != torch.float32:
                raise ValueError(f"its shape is {tuple(latents_FCHW.shape)}")
            if not bool(latents_FCHW.isfinite().all()):
                raise ValueError("it holds numbers that are none")
            os.utime(path)
        except (SafetensorError, KeyError, ValueError, OSError) as error:
            _log.warning("%s is made again: %s", path, error)
            return None
        return latents_FCHW

    def keep(self, fingerprint: str, latents_FCHW: Tensor) -> None:
        """Write a window; a full disk is no reason to stop performing, and is only told."""
        path = self._path(fingerprint)
        partial = path.with_name(f".{path.stem}.partial-{os.getpid()}")
        try:
            save_file({NAME: latents_FCHW.float().cpu().contiguous()}, partial)
            size = partial.stat().st_size
            os.replace(partial, path)
        except (OSError, SafetensorError) as error:
            _log.warning("%s: a finished part could not be kept: %s", self.folder, error)
            partial.unlink(missing_ok=True)
            return
        self._num_bytes += size
        if self._num_bytes > self.max_bytes:
            self._make_room()

    def _make_room(self) -> None:
        """Drop the oldest until a tenth is free again, so that it need not be done for each window."""
        files = sorted(self._files())
        self._num_bytes = sum(size for _, _, size in files)
        for _, path, size in files[:-1]:
            if self._num_bytes <= 0.9 * self.max_bytes:
                return
            path.unlink(missing_ok=True)
            self._num_bytes -= size

    def _files(self) -> list[tuple[float, Path, int]]:
        """When each window was last used, where it lies and its bytes."""
        found = []
        for path in self.folder.glob(f"*{SUFFIX}"):
            if not _FINGERPRINT.fullmatch(path.stem):  # the folder may be a person's own, with other things in it
                continue
            with contextlib.suppress(FileNotFoundError):  # another program made room
                status = path.stat()
                found.append((status.st_mtime, path, status.st_size))
        return found

    def _forget_halves(self) -> None:
        """Remove what a killed program was writing; what is younger may belong to one that runs."""
        for path in self.folder.glob(".*.partial-*"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - _STALE_S:
                    path.unlink()

    def _path(self, fingerprint: str) -> Path:
        return self.folder / f"{fingerprint}{SUFFIX}"
