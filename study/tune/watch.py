"""What the driver looks after between events: time on actors, and whether Ray lives."""

import time
from typing import Any

import ray

from study.results import Outcome
from study.tune.deaths import cause_of
from study.tune.errors import StudyError
from study.tune.local_ray import alive_nodes
from study.tune.session import StudySession


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


def end_actor(trial: Any) -> None:
    """Kill the actor of a Tune trial, which to Tune has failed for good then."""
    trial.max_failures = 0
    if trial.temporary_state.ray_actor is not None:
        ray.kill(trial.temporary_state.ray_actor)


def check_ray_lives(study: str) -> None:
    """Make sure that some node of Ray is alive: Tune waits in silence for one that never comes.

    Raises:
        StudyError: None is.
    """
    if not alive_nodes():
        raise StudyError(
            f"Ray has died: none of its nodes is alive (its process raylet was killed, or the "
            f"machine is out of memory); go on with the study by: app-study resume {study}"
        )


def has_lost_workers(error: BaseException, session: StudySession) -> bool:
    """Whether Tune gave up because Ray took workers from it in a way that it does not know.

    So it does when Ray's memory monitor kills a worker in the midst of a step. The deaths are
    counted, and who has died too often fails; the other trials go on from their checkpoints.
    """
    lost = error.__cause__
    if not isinstance(lost, ray.exceptions.RayError):
        return False
    cause, deaths = cause_of(str(lost)), session.deaths
    running = [trial.key for trial in session.record.unfinished()]
    named = [key for key in deaths.on_actors(str(lost)) if key in running]
    for key in named or running:
        if deaths.would_be_last(key, cause):
            session.settle(key, Outcome.ERROR, deaths.reason(key, cause))
        else:
            deaths.died(key, cause)
            session.lost(key, cause)
    return True
