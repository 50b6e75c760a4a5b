"""Where params, metrics and artifacts go. Imports nothing, so that reports stay light."""
