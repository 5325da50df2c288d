"""Widgets, one folder a workspace; they read the session and change the document only by commands."""
