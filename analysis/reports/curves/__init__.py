"""Errors and densities along the stream."""
