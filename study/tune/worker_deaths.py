"""Trials whose worker died: how often in a row, for what cause, and when they fail."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.results import Outcome
from study.session.session import StudySession

MAX_DEATHS = 3  # in a row, without anything new reported in between
MAX_SHORTAGES = 2  # of memory, likewise: the second one is not by chance

NODE_DIED = "the node of its worker died"
UNKNOWN = "its worker process died"
# Messages of Ray's memory monitor, torch and Python that memory ran out.
_OUT_OF_MEMORY = re.compile(
    r"low on memory|not enough memory|can't allocate memory|out of memory\b(?! killer)"
    r"|\bOutOfMemoryError\b|\bMemoryError\b",
    re.IGNORECASE,
)
_SUSPICIONS = re.compile(r"Some common causes include:.*", re.DOTALL)
_MEMORY_REMEDY = (
    "lower resources.max_concurrent or training.batch_size, or give each trial more of the "
    "machine (resources.cpus_per_trial, resources.gpus_per_trial)"
)
_FAILURE = re.compile(r"^Failure # .*$", re.MULTILINE)
_EXIT_DETAIL = re.compile(r"Worker exit detail: ([^.]*\.(?: End of file\.)?)")
_MAX_LENGTH = 300


def is_out_of_memory(text: str) -> bool:
    """Whether an error reports that memory ran out, and does not merely suspect it."""
    return bool(_OUT_OF_MEMORY.search(_SUSPICIONS.sub("", text)))


def cause_of(text: str) -> str:
    """The cause of a worker's death, in a line.

    Args:
        text: The error as Ray Tune writes it, which may be empty.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if "low on memory" in text:
        return "its worker ran out of memory (Ray's memory monitor killed it)"
    if is_out_of_memory(text):
        return f"its worker ran out of memory ({lines[-1][:_MAX_LENGTH]})"
    if "node has died" in text:
        return NODE_DIED
    if "worker process has died" in text:
        found = _EXIT_DETAIL.search(text)
        detail = f" (Ray: {found[1].strip()})" if found else ""
        return f"its worker process was killed or crashed{detail}"
    if not lines:
        return UNKNOWN
    return f"{UNKNOWN}: {lines[-1][:_MAX_LENGTH]}"


@dataclass
class _Series:
    """Deaths since a trial last made progress."""

    deaths: int = 0
    shortages: int = 0


class Deaths:
    """Counts the deaths of each trial's workers since it last made progress.

    A death after something new was reported does not count, nor does one with its node: nodes
    that are taken away again and again do not make a trial fail. ``MAX_DEATHS`` others
    in a row do, or ``MAX_SHORTAGES`` of them for want of memory.
    """

    def __init__(self) -> None:
        self._series: dict[str, _Series] = {}
        self._trials: dict[str, Any] = {}
        self._actors: dict[str, str] = {}
        self._counted: dict[str, str] = {}

    def watch(self, key: str, trial: Any) -> None:
        """Tune's trial of this ``key`` from now on, and its actor."""
        self._trials[key] = trial
        actor = trial.temporary_state.ray_actor
        self._actors[key] = actor._actor_id.hex() if actor else ""
        if self._is_on_its_last_chance(self._series.get(key, _Series())):
            trial.max_failures = trial.num_failures

    def on_actors(self, text: str) -> list[str]:
        """Trials whose actors an error of Ray mentions by their ids."""
        return [key for key, actor in self._actors.items() if actor and actor in text]

    def progressed(self, key: str) -> None:
        """The trial has reported something new."""
        self._series.pop(key, None)
        if key in self._trials:
            self._trials[key].max_failures = -1  # Tune starts it again whatever happens

    def died(self, key: str, cause: str) -> None:
        """Its worker died; where one more is too many, Tune is set not to start it again."""
        if cause == NODE_DIED:
            return
        series = self._series.setdefault(key, _Series())
        series.deaths += 1
        series.shortages += is_out_of_memory(cause)
        self._counted[key] = self._last_text(key)
        if key in self._trials and self._is_on_its_last_chance(series):
            self._trials[key].max_failures = self._trials[key].num_failures

    def would_be_last(self, key: str, cause: str) -> bool:
        """Whether one more death, of ``cause``, is one too many."""
        series = self._series.get(key, _Series())
        shortages = series.shortages + is_out_of_memory(cause)
        return series.deaths + 1 >= MAX_DEATHS or shortages >= MAX_SHORTAGES

    def is_counted(self, key: str) -> bool:
        """Whether the last death that Tune reports has been counted.

        Tune reports one death twice where a worker that waits for its next trial dies, and takes
        the second for the end of that trial.
        """
        text = self._last_text(key)
        return bool(text) and text == self._counted.get(key)

    def last_cause(self, key: str) -> str:
        """Why its worker died the last time, by Tune's report."""
        return cause_of(self._last_text(key))

    def _last_text(self, key: str) -> str:
        trial = self._trials.get(key)
        path = getattr(trial, "error_file", None)
        if path is None or not Path(path).is_file():
            return ""
        text = Path(path).read_text(encoding="utf-8", errors="replace")
        return _FAILURE.split(text)[-1]

    def reason(self, key: str, cause: str) -> str:
        """Why the trial has failed, after its last death for ``cause``; with the remedy."""
        earlier = self._series.get(key, _Series()).deaths
        again = f", after {earlier} restarts without progress" if earlier else ""
        if is_out_of_memory(cause):
            return f"{cause}{again}; {_MEMORY_REMEDY}"
        return f"{cause}{again}"

    @staticmethod
    def _is_on_its_last_chance(series: _Series) -> bool:
        # Tune is set before the death that is the last: any of memory's kind may be.
        return series.deaths >= MAX_DEATHS - 1 or series.shortages >= MAX_SHORTAGES - 1


def has_lost_workers(error: BaseException, session: StudySession, deaths: Deaths) -> bool:
    """Whether Tune gave up because of a worker's death of a kind that it does not handle.

    So it does when Ray's memory monitor kills a worker in the midst of a step. The deaths are
    counted, and a trial with too many fails; the others continue from their checkpoints.
    """
    import ray

    death = error.__cause__
    if not isinstance(death, ray.exceptions.RayError):
        return False
    cause = cause_of(str(death))
    running = [trial.key for trial in session.record.unfinished()]
    named = [key for key in deaths.on_actors(str(death)) if key in running]
    for key in named or running:
        if deaths.would_be_last(key, cause):
            session.finish_trial(key, Outcome.ERROR, deaths.reason(key, cause))
        else:
            deaths.died(key, cause)
            session.worker_lost(key, cause)
    return True
