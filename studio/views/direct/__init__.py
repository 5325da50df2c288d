"""The viewer and the timeline, where a performance is directed."""
