"""What falls at a pruning event: single weights, or whole channels."""
