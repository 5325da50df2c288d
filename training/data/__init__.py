"""Data: clips of the actor as batches and as shards of cached latents."""
