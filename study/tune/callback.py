"""From Ray Tune's events to the session."""

import gc
import time
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial

from study.results import Outcome, TrialHistory
from study.session.session import StudySession
from study.store.remote.hold import Hold
from study.tune.cluster.nodes import Nodes
from study.tune.cluster.ray_watch import RayWatch
from study.tune.worker_deaths import Deaths

_CHECK_EVERY_S = 1.0
_FREEZE_EVERY = 250  # trials


class SilentReporter(tune.ProgressReporter):
    """Shows nothing: Tune's own would clear the output of a notebook's cell, our display's too."""

    def should_report(self, trials: list[Trial], done: bool = False) -> bool:
        """Never."""
        return False


class StudyCallback(tune.Callback):
    """Reports to the session what trials do. Called by the driver, at each of Tune's events.

    Tune calls it ten times a second, also while no trial reports.
    """

    def __init__(
        self,
        session: StudySession,
        deaths: Deaths,
        watch: RayWatch,
        nodes: Nodes | None = None,
        hold: Hold | None = None,
    ) -> None:
        self._session = session
        self._deaths = deaths
        self._watch = watch
        self._clock = TrialClock()
        self._checked_at = 0.0
        self._num_frozen = 0
        self._nodes = nodes
        self._hold = hold

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles it for a restore that a study never uses."""
        return {}

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Check what reports nothing: trials that hang, nodes, and Ray itself."""
        now = time.monotonic()
        if now - self._checked_at < _CHECK_EVERY_S:
            return
        self._checked_at = now
        with self._session.captured_errors():
            self._watch.check()
            if self._hold is not None:
                self._hold.check()
            for notice in self._nodes.update() if self._nodes else ():
                self._session.display.notice(notice)
            for trial in trials:
                if trial.status == Trial.RUNNING:
                    self._end_if_late(trial)
        self._freeze_if_due(len(trials))

    def _freeze_if_due(self, num_trials: int) -> None:
        """Spare garbage collection what earlier trials have left, which stays to the end.

        Ray asks for a full one every few seconds, which takes the longer the more there is.
        """
        if num_trials - self._num_frozen >= _FREEZE_EVERY:
            self._num_frozen = num_trials
            gc.collect()
            gc.freeze()

    def _end_if_late(self, trial: Trial) -> None:
        limit, key = self._session.study.budget.trial_timeout, trial.config["trial_key"]
        if limit is None or self._clock.seconds(key) <= limit:
            return
        history = self._session.record.trials[key].history
        self._session.finish_trial(
            key,
            Outcome.ERROR,
            f"took longer than budget.trial_timeout = {limit:g} seconds: "
            f"{len(history.megabatches)} megabatches and {len(history.epochs)} epochs were done",
        )
        kill_actor(trial)

    def on_trial_start(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        **info: Any,
    ) -> None:
        """An actor begins a trial."""
        key = trial.config["trial_key"]
        self._clock.start(key)
        with self._session.captured_errors():
            self._deaths.watch(key, trial)
            self._session.start(key)

    def on_trial_recover(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        **info: Any,
    ) -> None:
        """A trial's worker died; Tune gives it a fresh one."""
        key = trial.config["trial_key"]
        self._clock.stop(key)
        with self._session.captured_errors():
            self._deaths.watch(key, trial)
            cause = self._deaths.last_cause(key)
            self._deaths.died(key, cause)
            self._session.worker_lost(key, cause)

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """A trial reports; its last report has its outcome."""
        key = result["trial_key"]
        with self._session.captured_errors():
            if self._nodes is not None and result.get("unfit_node"):
                self._clock.stop(key)
                text = self._nodes.exclude(result["unfit_node"], result["unfit_because"])
                if text:
                    self._session.display.notice(text)
                return
            for notice in result["notices"]:
                self._session.add_notice(key, notice)
            if self._session.report(key, TrialHistory.from_json(result["history"])):
                self._deaths.progressed(key)
            if result["outcome"]:
                self._session.finish_trial(key, Outcome(result["outcome"]), result["reason"])


class TrialClock:
    """Seconds that each trial has spent on actors in this process."""

    def __init__(self) -> None:
        self._begun: dict[str, float] = {}
        self._before: dict[str, float] = {}

    def start(self, key: str) -> None:
        """The trial is on an actor from now on."""
        self._begun.setdefault(key, time.monotonic())

    def stop(self, key: str) -> None:
        """It has lost its actor."""
        begun = self._begun.pop(key, None)
        if begun is not None:
            self._before[key] = self._before.get(key, 0.0) + time.monotonic() - begun

    def seconds(self, key: str) -> float:
        """How long it has been on actors, the one it is on now included."""
        now = time.monotonic()
        return self._before.get(key, 0.0) + now - self._begun.get(key, now)


def kill_actor(trial: Any) -> None:
    """Kill the actor of a Tune trial, and have Tune not start it again."""
    trial.max_failures = 0
    if trial.temporary_state.ray_actor is not None:
        ray.kill(trial.temporary_state.ray_actor)
