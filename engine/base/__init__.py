"""Base LPM: offline performance by chunk-wise continuation (paper 3.3)."""
