"""Key maps from public checkpoints to our own names."""
