"""Playing sound and picture together: clocks without Qt, and the player that asks them."""
