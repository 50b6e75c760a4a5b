"""Ends Tune's loop once the budget is used up."""

from typing import Any

from ray import tune

from study.tune.budget import Budget


class BudgetStopper(tune.Stopper):
    """Ends Tune's loop, whatever runs, once the budget is used up: checkpoints hold the rest."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles it for a restore that a study never uses."""
        return {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """No single trial is stopped."""
        return False

    def stop_all(self) -> bool:
        """Whether all are to stop."""
        return self._budget.end() is not None
