"""Every change to a document: pure functions, and the one funnel that makes them undoable and permanent. No Qt."""
