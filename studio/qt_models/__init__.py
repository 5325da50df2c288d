"""Adapters from the document to Qt: signals when it changes, and models for lists and tables."""
