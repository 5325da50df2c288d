"""Codecs: pixels to latents and back, and the arithmetic between frames and latents."""
