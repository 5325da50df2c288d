"""Public checkpoints of the smallest sizes, made here: official names with random numbers, in any form that weights come in."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

DIM, FFN, LAYERS, HEADS, TEXT, FREQUENCIES = 24, 40, 2, 2, 10, 16
FACTS = {"model_type": "t2v", "dim": DIM, "ffn_dim": FFN, "num_heads": HEADS, "num_layers": LAYERS, "eps": 1e-6}


def official_weights(in_channels: int = 16, has_image_branch: bool = False) -> dict[str, Tensor]:
    """Every tensor of a tiny Wan2.1 under its official name."""
    generator = torch.Generator().manual_seed(in_channels)

    def linear(name: str, rows: int, columns: int) -> dict[str, Tensor]:
        return {
            f"{name}.weight": torch.randn(rows, columns, generator=generator) * columns**-0.5,
            f"{name}.bias": torch.randn(rows, generator=generator) * 0.1,
        }

    def norm(name: str) -> dict[str, Tensor]:
        return {f"{name}.weight": 1 + 0.2 * torch.randn(DIM, generator=generator)}

    weights = {
        "patch_embedding.weight": torch.randn(DIM, in_channels, 1, 2, 2, generator=generator) * 0.1,
        "patch_embedding.bias": torch.randn(DIM, generator=generator) * 0.1,
        **linear("text_embedding.0", DIM, TEXT),
        **linear("text_embedding.2", DIM, DIM),
        **linear("time_embedding.0", DIM, FREQUENCIES),
        **linear("time_embedding.2", DIM, DIM),
        **linear("time_projection.1", 6 * DIM, DIM),
        **linear("head.head", 64, DIM),
        "head.modulation": torch.randn(1, 2, DIM, generator=generator) * 0.3,
    }
    for block in (f"blocks.{layer}" for layer in range(LAYERS)):
        for attention in ("self_attn", "cross_attn"):
            for name in "qkvo":
                weights |= linear(f"{block}.{attention}.{name}", DIM, DIM)
            weights |= norm(f"{block}.{attention}.norm_q") | norm(f"{block}.{attention}.norm_k")
        weights |= norm(f"{block}.norm3") | {f"{block}.norm3.bias": torch.randn(DIM, generator=generator) * 0.1}
        weights |= linear(f"{block}.ffn.0", FFN, DIM) | linear(f"{block}.ffn.2", DIM, FFN)
        weights[f"{block}.modulation"] = torch.randn(1, 6, DIM, generator=generator) * 0.3
        if has_image_branch:
            weights |= linear(f"{block}.cross_attn.k_img", DIM, DIM) | linear(f"{block}.cross_attn.v_img", DIM, DIM)
            weights |= norm(f"{block}.cross_attn.norm_k_img")
    if has_image_branch:
        weights |= linear("img_emb.proj.1", DIM, DIM) | {"img_emb.proj.0.weight": torch.ones(DIM)}
    return weights


def write_config(folder: Path) -> None:
    """The config.json beside the weights."""
    (folder / "config.json").write_text(json.dumps(FACTS))


def write_single(folder: Path, weights: dict[str, Tensor]) -> Path:
    """One safetensors file and its config.json."""
    folder.mkdir(parents=True)
    save_file(weights, folder / "diffusion_pytorch_model.safetensors")
    write_config(folder)
    return folder


def write_shards(folder: Path, weights: dict[str, Tensor], num_shards: int = 3) -> Path:
    """Shards with an index."""
    folder.mkdir(parents=True)
    names, weight_map = sorted(weights), {}
    for shard in range(num_shards):
        file = f"diffusion_pytorch_model-{shard + 1:05d}-of-{num_shards:05d}.safetensors"
        part = {name: weights[name] for name in names[shard::num_shards]}
        save_file(part, folder / file)
        weight_map |= dict.fromkeys(part, file)
    (folder / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    write_config(folder)
    return folder


def write_pth(folder: Path, weights: dict[str, Tensor], nested: bool = False) -> Path:
    """A `.pth` as torch.save writes it."""
    folder.mkdir(parents=True)
    torch.save({"model_state": weights} if nested else weights, folder / "model.pth")
    write_config(folder)
    return folder
