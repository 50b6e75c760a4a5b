"""One trial: assembled from its configuration, checked against its data, described."""
