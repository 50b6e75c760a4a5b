"""What a study file may hold, as a JSON Schema."""
