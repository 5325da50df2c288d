"""LPM Studio's training: the procedural actor, the data, the objectives and the benchmark."""
