"""UMT5 behind `TextRows`: words, in any of its hundred languages, to 512 rows."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.encoders.umt5 import Umt5

Tokenize = Callable[[Sequence[str]], tuple[Tensor, Tensor]]


class Umt5TextEncoder(nn.Module):
    """Satisfies `TextRows`. As Wan2.1 does, rows behind a text's last token are zeros; the empty text has one row, its end."""

    def __init__(self, network: Umt5, tokenize: Tokenize) -> None:
        super().__init__()
        self.network = network
        self.tokenize = tokenize

    @property
    def num_tokens(self) -> int:
        """Rows of any text."""
        return self.network.config.num_tokens

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return self.network.config.width

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> Tensor:
        """Rows text_BSD, [B, num_tokens, width]; what is beyond `num_tokens` tokens of a text is cut off."""
        device = self.network.embedding.weight.device
        ids_BL, is_token_BL = (tensor.to(device) for tensor in self.tokenize(texts))
        rows_BLD = self.network(ids_BL, is_token_BL) * is_token_BL[..., None]
        return functional.pad(rows_BLD, (0, 0, 0, self.num_tokens - rows_BLD.shape[1]))
