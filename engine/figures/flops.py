"""Work of one forward by part, as formulas. One multiplication with its addition counts 2, as everywhere in the field.

Called by `lpm models info` and the engine's benchmark. Only matrix products are counted: norms, rotations and GELU are some
thousandths of them. A test holds every part to torch's own counter on the real class.

With L tokens computed, V of them video, S tokens attended to, T text rows, A sound rows, W rows in a sound window, width D, feed-forward
width E and everything a layer does done `num_layers` times:

    self-attention products       4 L S D          scores and weighted sum
    self-attention projections    2 L D 4D         q, k, v, o
    text products                 4 V T D
    text projections              2 D D (2V + 2T)  q and o of the video, k and v of the text
    audio products                4 V W D          a latent's tokens see the W rows of its window
    audio projections             2 D D (V + 2A)   o of the video, k and v of the sound; the query is the text's
    feed-forward                  2 L 2 D E
"""

from engine.figures.workload import Workload
from engine.model_config import AudioWindow, DitConfig


def forward_flops(config: DitConfig, work: Workload) -> dict[str, int]:
    """FLOPs of one forward by part, a batch of one; they add up to the whole."""
    width = config.dim
    computed, video = work.computed_tokens, work.geometry.tokens_per_chunk
    audio = [_audio_layer(config, config.window_of_layer(layer), work) for layer in range(config.num_layers)]
    in_each_layer = {
        "self_attention": 4 * computed * work.key_tokens * width,
        "self_attention_projections": 2 * computed * width * 4 * width,
        "text_attention": 4 * video * work.text_rows * width,
        "text_projections": 2 * width * width * (2 * video + 2 * work.text_rows),
        "feed_forward": 2 * computed * 2 * width * config.ffn_dim,
    }
    return {part: config.num_layers * flops for part, flops in in_each_layer.items()} | {
        "audio_attention": sum(products for products, _ in audio),
        "audio_projections": sum(projections for _, projections in audio),
        "embeddings": _embeddings(config, work),
        "head": 2 * video * width * config.out_channels * config.patch_size[1] * config.patch_size[2],
    }


def audio_rows(window: AudioWindow, num_latents: int) -> int:
    """Rows of one sound that a chunk may hear: its own and the margins of its first and last window."""
    return window.rows_before + num_latents * window.rows_per_latent + window.rows_after


def _audio_layer(config: DitConfig, window: AudioWindow, work: Workload) -> tuple[int, int]:
    """Products and projections of the sound of one layer."""
    video, rows = work.geometry.tokens_per_chunk, audio_rows(window, work.geometry.latents_per_chunk)
    return 4 * video * window.num_rows * config.dim, 2 * config.dim * config.dim * (video + 2 * rows)


def _embeddings(config: DitConfig, work: Workload) -> int:
    """Patches, timesteps, motion, a posed anchor, text and both sounds to the model's width; clean references have a timestep too."""
    width, latents = config.dim, work.geometry.latents_per_chunk
    patches = 2 * work.computed_tokens * config.in_channels * config.patch_size[1] * config.patch_size[2] * width
    times = 2 * (latents + 1) * (config.frequency_dim + width + 6 * width) * width
    motion = 2 * latents * (config.motion_dim + 2 * width) * width if config.motion_dim else 0
    shown = work.geometry.tokens_per_chunk if config.is_shown_posed_anchor else 0
    posed = 2 * shown * config.in_channels * config.patch_size[1] * config.patch_size[2] * width
    text = 2 * work.text_rows * (config.text_dim + width) * width
    speak = 2 * audio_rows(config.speak_window, latents) * (config.speak_dim + width) * width
    listen = 2 * audio_rows(config.listen_window, latents) * (config.listen_dim + width) * width
    return patches + times + motion + posed + text + speak + listen
