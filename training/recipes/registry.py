"""Every recipe by the name that `lpm train` takes. A recipe is a function that returns a whole run."""

from collections.abc import Callable

from training.recipes import tiny
from training.recipes.run import Run

RECIPES: dict[str, Callable[[], Run]] = {
    "tiny-vae": tiny.tiny_vae,
    "tiny-vae-decoder": tiny.tiny_vae_decoder,
}
