"""What the search learned."""
