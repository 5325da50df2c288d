"""Recipes: a run is a function that returns a whole config."""
