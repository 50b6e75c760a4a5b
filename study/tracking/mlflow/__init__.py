"""The tracker on MLflow."""
