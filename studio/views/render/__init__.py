"""Rendering and exporting."""
