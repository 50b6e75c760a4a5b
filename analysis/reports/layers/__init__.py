"""What is left in each layer."""
