"""A study on disk, and at a URL: its record, its folder, its lock."""
