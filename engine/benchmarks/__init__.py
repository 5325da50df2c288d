"""What this machine makes of a model or a pack: `lpm bench vae|engine`. Ratios within one run say more than seconds."""

from engine.benchmarks.running import run_bench

__all__ = ["run_bench"]
