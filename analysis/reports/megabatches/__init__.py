"""How many megabatches there should be."""
