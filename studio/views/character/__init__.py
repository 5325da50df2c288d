"""The library: characters and their references."""
