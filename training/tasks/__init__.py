"""Tasks: each composes a model, its data, its loss and its held-out measures for the one trainer."""
