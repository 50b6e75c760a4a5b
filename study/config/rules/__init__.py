"""What must hold between the values of a study file."""
