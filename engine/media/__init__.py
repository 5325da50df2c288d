"""Pictures, sound and film in and out: hardened readers for files from strangers, writers that leave whole files or none.

The engine's callers read a person's files here and hand plain arrays on. Nothing here knows a model, a window or a command line.
"""
