"""A study as files for other tools."""
