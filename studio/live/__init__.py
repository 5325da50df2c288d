"""A live conversation without a window: sound ports, the typed voice, the loop that keeps them in time, and its recordings. No Qt."""
