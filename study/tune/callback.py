"""From Ray Tune's events to the session."""

from typing import Any

from ray import tune
from ray.tune.experiment import Trial

from study.results import Outcome, TrialHistory
from study.tune.session import StudySession


class StudyCallback(tune.Callback):
    """Tells the session what trials do. Called by the driver, between two of Tune's events."""

    def __init__(self, session: StudySession) -> None:
        self._session = session

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles it for a restore that a study never uses."""
        return {}

    def on_trial_start(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        **info: Any,
    ) -> None:
        """An actor begins a trial."""
        with self._session.watched():
            self._session.start(trial.config["trial_key"])

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """A trial reports; its last report says how it ended."""
        key = result["trial_key"]
        with self._session.watched():
            self._session.report(key, TrialHistory.from_json(result["history"]))
            if result["outcome"]:
                self._session.settle(key, Outcome(result["outcome"]), result["reason"])
