"""Which trials may be compared with which, and what came of it."""
