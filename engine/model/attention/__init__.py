"""The kernels behind `engine.model.attend`, which is the only door to them."""
