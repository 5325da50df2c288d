"""LPM-Bench: measures a model pack on the procedural actor, whose truth is exact."""
