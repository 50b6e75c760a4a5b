"""The way out of a study: networks as files that others can run."""
