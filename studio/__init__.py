"""LPM Studio: the desktop application and the command line. `python -m studio` opens the window."""
