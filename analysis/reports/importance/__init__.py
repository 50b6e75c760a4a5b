"""Which settings mattered."""
