"""A study in YAML, checked whole before anything starts."""
