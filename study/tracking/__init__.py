"""What a study tells an experiment tracker."""
