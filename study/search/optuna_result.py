"""How a trial has ended, in Optuna's terms."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from optuna.trial import TrialState

from study.config.rules.search import judged_metric
from study.config.study_sections import ObjectiveSection
from study.results import Outcome
from study.search.feasibility import violations
from study.store.record import RecordedTrial


@dataclass(frozen=True)
class OptunaResult:
    """A trial that has ended, as Optuna takes it.

    Attributes:
        state: Complete only where every objective is a number.
        values: The objectives of a complete trial.
        intermediate: Percent of the stream → the running objective, of a stopped trial.
        violations: Constraint → how far it is broken, at most 0 where it is kept.
    """

    state: TrialState
    values: tuple[float, ...] | None
    intermediate: Mapping[int, float]
    violations: Mapping[str, float]

    @property
    def rebuilt_values(self) -> tuple[float, ...] | None:
        """Its values; of a stopped trial the newest running one, as Optuna keeps it."""
        if not self.intermediate:
            return self.values
        newest = self.intermediate[max(self.intermediate)]
        return (newest,) if math.isfinite(newest) else None


def optuna_result(recorded: RecordedTrial, objective: ObjectiveSection) -> OptunaResult:
    """The result of a trial that has ended."""
    values = recorded.values(objective.metrics)
    violated = violations(recorded, objective.limits)
    if values is not None and all(math.isfinite(v) for v in values):
        return OptunaResult(TrialState.COMPLETE, values, {}, violated)
    if recorded.outcome is Outcome.EARLY_STOPPED:
        running = _running(recorded, objective)
        return OptunaResult(TrialState.PRUNED, None, running, violated)
    return OptunaResult(TrialState.FAIL, None, {}, {})


def _running(recorded: RecordedTrial, objective: ObjectiveSection) -> dict[int, float]:
    """The running objective by percent of the stream; Optuna takes none with several."""
    judged = judged_metric(objective)
    if judged is None or len(objective.metrics) > 1:
        return {}
    return {
        round(100 * m.stream_fraction): m.metrics[judged]
        for m in recorded.history.megabatches
        if judged in m.metrics
    }
