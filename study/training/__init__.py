"""The anytime loop: prune, train, serve, for each megabatch of the stream."""
