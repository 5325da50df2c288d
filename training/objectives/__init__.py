"""Objectives: what a batch costs. They know the model, never the optimiser or where data comes from."""
