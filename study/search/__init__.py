"""What to try, when to stop, and who wins."""
