"""Studies: proposals from Optuna, trials on Ray actors, one record that is the truth."""
