"""What a study logs to an experiment tracker."""
