"""Error against size."""
