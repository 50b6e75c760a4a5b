"""The best trials again, with fresh seeds."""
