"""The verbs of `lpm`, one file each, and the little that they share: talking to the terminal and to other processes.

Each verb's module has `add_arguments(parser)` and `run(options) -> int`; `studio/cli.py` imports only the one that was asked for.
"""
