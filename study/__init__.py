"""Hyper-parameter studies of Anytime Progressive Pruning on streams of megabatches."""

__version__ = "0.1.0"
