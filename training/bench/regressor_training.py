"""Trains the benchmark's regressor on drawn pictures, once, before any model that it will judge.

Run by `python -m training evaluate train-regressor`. Single-threaded and bf16 on the CPU; a quarter of an hour is enough.
"""

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.bench.reading import true_reading
from training.bench.regressor import READ_CHANNELS, BenchRegressor, Prediction
from training.bench.regressor_data import PictureSet, spoil

logger = logging.getLogger(__name__)

READING_WEIGHTS = {"mouth_open": 4.0, "yaw": 4.0, "pitch": 6.0, "roll": 4.0, "smile": 0.5}
READING_UNITS = {  # what counts as one in the loss
    "yaw": 0.25,
    "pitch": 0.15,
    "roll": 0.15,
    "mouth_open": 0.3,
    "mouth_width": 0.5,
    "gaze_x": 0.5,
    "gaze_y": 0.4,
}


@dataclass(frozen=True, kw_only=True)
class RegressorRecipe:
    """One run: how much is drawn and how long it is looked at."""

    num_identities: int = 6000
    frames_per_identity: int = 4
    batch_identities: int = 32
    num_steps: int = 1600
    max_s: float = 3600.0  # the schedule ends with the steps or with the time, whichever is first
    learning_rate: float = 2e-3
    warm_up: float = 0.1  # share of the schedule
    weight_decay: float = 0.02
    crop_jitter: float = 0.012  # of the picture's side, standard deviation
    contrastive_temperature: float = 0.1
    seed: int = 1

    def __post_init__(self) -> None:
        if self.frames_per_identity < 2:
            raise ValueError("identity is learned from at least two pictures of each actor")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Pictures and truth as tensors."""

    pixels_BCHW: Tensor
    readings_BK: Tensor
    expression_BE: Tensor
    places_B22: Tensor
    identity_BV: Tensor
    label_B: Tensor


def train_regressor(network: BenchRegressor, pictures: PictureSet, recipe: RegressorRecipe) -> None:
    """Train in place, to the end of the steps or of the time; the network is left ready to read."""
    torch.manual_seed(recipe.seed)
    started_s = time.monotonic()
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    generator = np.random.default_rng((recipe.seed, 7))
    averages: dict[str, float] = {}
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for step, batch in enumerate(batches(pictures, recipe, generator)):
        elapsed_s = time.monotonic() - started_s
        progress = max(step / recipe.num_steps, elapsed_s / recipe.max_s)
        if progress >= 1.0:
            break
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * rate_at(progress, recipe.warm_up)
        losses = _step(network, optimiser, batch, recipe)
        for name, loss in losses.items():
            averages[name] = 0.95 * averages.get(name, loss) + 0.05 * loss
        if step % 25 == 0:
            told = ", ".join(f"{name} {value:.4f}" for name, value in averages.items())
            logger.info("step %d, %.0f %% of the schedule, %.0f s: %s", step, 100 * progress, elapsed_s, told)
    network.eval()


def rate_at(progress: float, warm_up: float) -> float:
    """Share of the learning rate: a rise, then half a cosine down to nothing."""
    if progress < warm_up:
        return max(progress / warm_up, 0.02)
    return 0.5 * (1.0 + math.cos(math.pi * (progress - warm_up) / (1.0 - warm_up)))


def _step(
    network: BenchRegressor, optimiser: torch.optim.Optimizer, batch: Batch, recipe: RegressorRecipe
) -> dict[str, float]:
    jitter_B22 = recipe.crop_jitter * torch.randn_like(batch.places_B22)
    with torch.autocast("cpu", torch.bfloat16):
        predicted = network(batch.pixels_BCHW, batch.places_B22 + jitter_B22)
    losses = losses_of(predicted, batch, recipe)
    optimiser.zero_grad(set_to_none=True)
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimiser.step()
    return {name: float(loss.detach()) for name, loss in losses.items()}


def batches(pictures: PictureSet, recipe: RegressorRecipe, generator: np.random.Generator) -> Iterator[Batch]:
    """`num_steps` batches of whole actors, each picture spoilt anew."""
    order = np.zeros(0, dtype=np.int64)
    spread_V = np.maximum(pictures.identity_NV.std(axis=0), 0.05)
    middle_V = pictures.identity_NV.mean(axis=0)
    truth = true_reading(pictures.state_NK)
    for _ in range(recipe.num_steps):
        if len(order) < recipe.batch_identities:
            order = np.concatenate([order, generator.permutation(pictures.num_identities)])
        chosen, order = order[: recipe.batch_identities], order[recipe.batch_identities :]
        rows = (chosen[:, None] * recipe.frames_per_identity + np.arange(recipe.frames_per_identity)).reshape(-1)
        frames = np.stack([spoil(pictures.frames_NHWC[row], generator) for row in rows])
        yield Batch(
            pixels_BCHW=torch.from_numpy(frames).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0),
            readings_BK=torch.from_numpy(truth.values_TK[rows]),
            expression_BE=torch.from_numpy(truth.expression_TE[rows]),
            places_B22=torch.from_numpy(pictures.places_N22[rows]),
            identity_BV=torch.from_numpy((pictures.identity_NV[rows] - middle_V) / spread_V),
            label_B=torch.from_numpy(np.repeat(chosen, recipe.frames_per_identity)),
        )


def losses_of(predicted: Prediction, batch: Batch, recipe: RegressorRecipe) -> dict[str, Tensor]:
    """The parts of the loss by name; gaze counts only as far as the eyes are open."""
    units_K = torch.tensor([READING_UNITS.get(name, 1.0) for name in READ_CHANNELS])
    weights_K = torch.tensor([READING_WEIGHTS.get(name, 1.0) for name in READ_CHANNELS])
    weights_BK = weights_K.repeat(len(batch.readings_BK), 1)
    closed_B = batch.readings_BK[:, READ_CHANNELS.index("blink")]
    for name in ("gaze_x", "gaze_y"):
        weights_BK[:, READ_CHANNELS.index(name)] *= 1.0 - closed_B
    error_BK = (predicted.readings_BK - batch.readings_BK) / units_K
    logits_BE = predicted.expression_logits_BE
    return {
        "readings": (weights_BK * functional.huber_loss(error_BK, torch.zeros_like(error_BK), reduction="none")).mean(),
        "places": 20.0 * (predicted.places_B22 - batch.places_B22).abs().mean(),
        "expression": 0.3 * functional.cross_entropy(logits_BE, batch.expression_BE),
        "identity": 0.3 * contrastive_loss(predicted.identity_BD, batch.label_B, recipe.contrastive_temperature),
        "traits": 0.3 * functional.mse_loss(predicted.identity_truth_BV, batch.identity_BV),
    }


def contrastive_loss(identity_BD: Tensor, label_B: Tensor, temperature: float) -> Tensor:
    """Supervised contrastive loss (Khosla et al. 2020): pictures of one actor attract, of two actors repel."""
    likeness_BB = identity_BD @ identity_BD.T / temperature
    itself_BB = torch.eye(len(label_B), dtype=torch.bool)
    likeness_BB = likeness_BB.masked_fill(itself_BB, -1e4)
    log_share_BB = likeness_BB - likeness_BB.logsumexp(dim=1, keepdim=True)
    same_BB = (label_B[:, None] == label_B[None, :]) & ~itself_BB
    return -(log_share_BB * same_BB).sum() / same_BB.sum()


def read_errors(network: BenchRegressor, pictures: PictureSet) -> dict[str, float]:
    """Correlation with the truth per channel, expression hits and closeness of places, on pictures never trained on."""
    truth = true_reading(pictures.state_NK)
    found: list[Prediction] = []
    for start in range(0, len(pictures.frames_NHWC), 64):
        frames = pictures.frames_NHWC[start : start + 64]
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            found.append(network(torch.from_numpy(frames).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)))
    values_NK = torch.cat([part.readings_BK for part in found]).numpy()
    expression_NE = torch.cat([part.expression_logits_BE for part in found]).numpy()
    places_N22 = torch.cat([part.places_B22 for part in found]).numpy()
    result = {
        name: float(np.corrcoef(values_NK[:, index], truth.values_TK[:, index])[0, 1])
        for index, name in enumerate(READ_CHANNELS)
    }
    strong_N: NDArray[np.bool_] = truth.expression_TE.max(axis=1) > 0.6
    hits_N = expression_NE.argmax(axis=1) == truth.expression_TE.argmax(axis=1)
    result["expression_hits"] = float(hits_N[strong_N].mean())
    result["places_px"] = float(np.abs(places_N22 - pictures.places_N22).mean() * pictures.frames_NHWC.shape[1])
    identity_ND = torch.cat([part.identity_BD for part in found]).numpy()
    labels_N = np.arange(len(identity_ND)) // pictures.frames_per_identity
    likeness_NN = identity_ND @ identity_ND.T - 2.0 * np.eye(len(identity_ND), dtype=np.float32)
    result["identity_nearest"] = float((labels_N[likeness_NN.argmax(axis=1)] == labels_N).mean())
    return result
