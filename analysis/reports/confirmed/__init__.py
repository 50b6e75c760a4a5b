"""The best trials, confirmed with fresh seeds."""
