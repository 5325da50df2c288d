"""Which of the backbone's timesteps each chunk of a training film stands at: non-decreasing along the film (paper 4.3, Eq. 5).

Called by stages 1 to 3. A chunk is never cleaner than those before it, as in a live film, where the past is further denoised.
"""

import torch

ChunkTimesteps = tuple[float, ...]


def draw_chunk_timesteps(num_chunks: int, timesteps: tuple[float, ...], generator: torch.Generator) -> ChunkTimesteps:
    """One of all non-decreasing sequences over the falling `timesteps` (T_0, T_1), drawn evenly.

    Sequences of n values out of k are the k - 1 cuts among n + k - 1 places, so choosing the cuts chooses evenly.
    """
    rising = sorted(timesteps)
    num_places = num_chunks + len(rising) - 1
    cuts = torch.randperm(num_places, generator=generator, device=generator.device)[: len(rising) - 1]
    is_cut = [place in set(cuts.tolist()) for place in range(num_places)]
    drawn, level = [], 0
    for cut in is_cut:
        if cut:
            level += 1
        else:
            drawn.append(rising[level])
    return tuple(drawn)
