"""Adapters of Ray Tune: trainable, searcher, scheduler, callback, and the run of them."""
