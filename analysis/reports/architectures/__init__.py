"""Networks compared."""
