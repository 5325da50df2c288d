"""A session's anchors in the poses of its latents, each as it was when its latent was drawn, taken back with them.

What history differs from is the anchor that it stayed near. Where a direction asks for another anchor, what was shown keeps its own:
measured against the new one, its whole old face would count as detail and stand in what follows as a ghost. Called by a session's plan of
motion.
"""

from collections.abc import Mapping

from torch import Tensor

from engine.latent_tail import LatentTail
from engine.posing.poser import Poser
from engine.references import ReferenceLatents


class LiveAnchors:
    """The last anchors in pose of one session, numbered like its latents; before them stands its portrait."""

    def __init__(self, poser: Poser, portrait_BCHW: Tensor, num_kept: int) -> None:
        """`num_kept` is how many latents can be taken back, and how many of history are looked back upon."""
        self._poser, self._tail = poser, LatentTail(portrait_BCHW.float(), num_kept)

    @property
    def length(self) -> int:
        """Latents that have their anchor."""
        return self._tail.length

    @property
    def num_bytes(self) -> int:
        """Memory of the anchors that are kept, at most."""
        return self._tail.num_bytes

    def posed(
        self,
        references: ReferenceLatents,
        first_latent: int,
        rows_BFM: Tensor,
        num_history: int,
        turns_BFT: Tensor | None = None,
    ) -> ReferenceLatents:
        """The references with their anchor in the poses and turns of rows from `first_latent` on, behind those of the `num_history`
        before."""
        self._tail.truncate(first_latent)
        posed = self._poser.posed(references, rows_BFM, self._tail.last(num_history), turns_BFT)
        assert posed.posed_BFCHW is not None, "a poser poses"
        self._tail.append(posed.posed_BFCHW[:, num_history:])
        return posed

    def truncate(self, length: int) -> None:
        """Take back the anchors after the first `length` latents; nothing where there are not that many."""
        if self.length > length:
            self._tail.truncate(length)

    def tensors(self) -> dict[str, Tensor]:
        """The anchors, to be kept in a file."""
        return self._tail.tensors()

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take on anchors from a file; `BadInputError` unless they fit."""
        self._tail.load(tensors)
