"""Every recipe by the name that `lpm train` takes. A recipe is a function that returns a whole run."""

from collections.abc import Callable

from training.recipes import dpo, fine_tune, tiny, tiny_dpo, tiny_motion, tiny_online, tiny_retouch
from training.recipes.places import Places
from training.recipes.run import Run

RECIPES: dict[str, Callable[[Places], Run]] = {
    "tiny-vae": tiny.tiny_vae,
    "tiny-vae-decoder": tiny.tiny_vae_decoder,
    "tiny-vae-fine": tiny.tiny_vae_fine,
    "tiny-speak-encoder": tiny.tiny_speak_encoder,
    "tiny-listen-encoder": tiny.tiny_listen_encoder,
    "tiny-text-encoder": tiny.tiny_text_encoder,
    "tiny-chinese-text": tiny.tiny_chinese_text,
    "tiny-latent-reader": tiny.tiny_latent_reader,
    "tiny-motion": tiny_motion.tiny_motion,
    "tiny-posing": tiny.tiny_posing,
    "tiny-matte": tiny.tiny_matte,
    "tiny-paint": tiny.tiny_paint,
    "tiny-retouch": tiny_retouch.tiny_retouch,
    "tiny-base": tiny.tiny_base,
    "tiny-base-pictures": tiny.tiny_base_pictures,
    "fine-tune": fine_tune.fine_tune,
    "fine-tune-lora": fine_tune.fine_tune_lora,
    "dpo": dpo.dpo,
    "tiny-dpo": tiny_dpo.tiny_dpo,
    "tiny-online-causal": tiny_online.tiny_online_causal,
    "tiny-online-ode": tiny_online.tiny_online_ode,
    "tiny-online-off-policy": tiny_online.tiny_online_off_policy,
    "tiny-online-on-policy": tiny_online.tiny_online_on_policy,
    "tiny-online-refiner": tiny_online.tiny_online_refiner,
    "tiny-film-decoder": tiny.tiny_film_decoder,
}
