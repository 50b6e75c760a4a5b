"""After which arrivals a model should be trained."""
