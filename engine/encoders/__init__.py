"""Encoders: sound and text to the features that the transformer attends to."""
