"""What can be done with a study: one module for each."""
