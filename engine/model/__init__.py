"""The diffusion transformer; `transformer.py` is where to start."""
