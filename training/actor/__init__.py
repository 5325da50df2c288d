"""The procedural actor: characters that are drawn, with exact ground truth for everything they do."""
