"""What the driver looks after between events: time on actors, and whether Ray lives."""

import socket
import time
from collections.abc import Mapping
from typing import Any

import ray

from study.results import Outcome
from study.tune.deaths import cause_of
from study.tune.errors import RayDiedError
from study.tune.session import StudySession

_CONNECT_S = 2.0


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


def check_ray_lives() -> None:
    """Make sure that Ray is there: Tune waits in silence for nodes that never come.

    Raises:
        RayDiedError: The raylet of this machine is gone, or no node is alive.
    """
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # Ray's
    own = ray.get_runtime_context().get_node_id()
    for node in nodes:
        if node["NodeID"] == own and node["Alive"] and not _listens(node):
            raise RayDiedError("its process raylet is gone")
    if not any(node["Alive"] for node in nodes):
        raise RayDiedError("none of its nodes is alive")


def _listens(node: Mapping[str, Any]) -> bool:
    # Ray itself takes 15 seconds to notice, and then ends this process.
    if ray.util.client.ray.is_connected():  # type: ignore[no-untyped-call]  # Ray's
        return True  # the driver's node is another machine
    address = (node["NodeManagerAddress"], node["NodeManagerPort"])
    try:
        with socket.create_connection(address, timeout=_CONNECT_S):
            return True
    except ConnectionRefusedError:
        return False
    except OSError:  # too busy to answer is not dead
        return True


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
