"""A study from its file to its answer, for the command line and for Python alike."""
