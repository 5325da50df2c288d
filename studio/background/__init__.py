"""Work away from the main thread: the engine's one owner, and short tasks such as imports and exports."""
