"""The project: document model, its SQLite store, timecode and render plan. Nothing here knows Qt."""
