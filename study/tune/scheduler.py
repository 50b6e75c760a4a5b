"""Tune's trial scheduler: the study's early stopping, by fraction of the stream."""

from typing import Any

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from study.results import TrialHistory
from study.search.budget import Budget
from study.search.early_stopping import make_stopping
from study.session.session import StudySession


class StudyScheduler(FIFOScheduler):
    """Stops trials early as the study is configured.

    Nothing is restored from a pickle: what was reported before is taken from the record.
    """

    def __init__(self, session: StudySession) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Tune's
        self._session = session
        self._stopping = make_stopping(session.study, session.record.trials.values())

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles it for a restore that a study never uses."""
        return {}

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Stop the trial, or continue it."""
        with self._session.captured_errors():
            if self._stops(result):
                return str(TrialScheduler.STOP)
        return str(TrialScheduler.CONTINUE)

    def on_trial_complete(
        self, tune_controller: Any, trial: Trial, result: dict[str, Any]
    ) -> None:
        """Others are compared with its end, which comes here alone."""
        with self._session.captured_errors():
            if "history" in result:
                self._stops(result)

    def _stops(self, result: dict[str, Any]) -> bool:
        recorded = self._session.record.trials[result["trial_key"]]
        return self._stopping.stops(
            recorded, TrialHistory.from_json(result["history"]).megabatches
        )


class BudgetStopper(tune.Stopper):
    """Ends Tune's loop, whatever runs, once the budget is used up; trials have checkpoints."""

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
