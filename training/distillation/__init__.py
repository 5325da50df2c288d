"""Distillation of the base model into a causal backbone and refiner, in four stages (paper 4.3); start with `stage1_ode`."""
