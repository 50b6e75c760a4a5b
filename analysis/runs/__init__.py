"""MLflow → tidy frames, the only thing that reports are made of."""
