"""Online LPM: the streaming runtime that never stops (paper 4.1, 4.2, 4.4, 5.2, 5.3)."""
