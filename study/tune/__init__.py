"""Ray's adapters: what Tune calls, and what it is asked."""
