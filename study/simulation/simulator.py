"""One search replayed on a table, by the code that a real study asks: proposals and stopping.

Trials run side by side on simulated workers whose clock is examples through SGD. A worker asks for
a proposal, takes the recorded trial that stands for it, and reveals its curve a megabatch at a
time. A trial may be visited again and again, as a search may try the same place again and again:
each visit is charged.
"""

import dataclasses
import heapq
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna

from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.results import MegabatchRecord, Outcome, TrialHistory
from study.search.early_stopping import Stopping, make_stopping
from study.search.optuna_study import Proposals
from study.simulation.lookup import Lookup
from study.simulation.table import Table
from study.store.record import Record, RecordedTrial

# So many refused proposals in a row end a search, as in a real study.
_MOST_REFUSED = 100


@dataclass(frozen=True)
class Ended:
    """A trial that has ended in the replay.

    Attributes:
        trial: As the search saw it: with the megabatches before it was stopped alone, under a key
            of its own.
        row: The recorded trial that it was.
        samples: Examples through SGD of the whole search when it ended.
    """

    trial: RecordedTrial
    row: RecordedTrial
    samples: float


@dataclass
class _Running:
    row: RecordedTrial
    proposed: optuna.Trial
    revealed: RecordedTrial

    @property
    def next_megabatch(self) -> MegabatchRecord | None:
        """What its worker trains now; None at the end of what was recorded."""
        megabatches = self.row.history.megabatches
        position = len(self.revealed.history.megabatches)
        return megabatches[position] if position < len(megabatches) else None

    def reveal(self, megabatch: MegabatchRecord) -> None:
        """Another megabatch has been learned."""
        known = self.revealed.history.megabatches
        self.revealed.history = TrialHistory((), (*known, megabatch))


def searched_anew(study: StudyConfig, changes: Mapping[str, Any], *, seed: int) -> StudyConfig:
    """The study with other search settings (``{"sampler": "tpe"}``) and another seed."""
    raw = study.to_dict()
    raw["search"] = {**raw["search"], **changes, "seed": seed, "points": ()}
    raw["search"] |= {"warm_start": (), "arms": ()}  # a replay is a single search
    return parse_study(raw)


def replay(  # noqa: PLR0913  # all that a search depends on
    table: Table,
    study: StudyConfig,
    *,
    max_trials: int,
    max_samples: float = math.inf,
    num_workers: int = 1,
    until: Callable[[RecordedTrial], bool] = lambda _: False,
    places: Iterable[Mapping[str, Any]] = (),
) -> list[Ended]:
    """A search through the rows of a table; the same study gives the same.

    Args:
        table: What is known.
        study: With the table's space, and the search to try.
        max_trials: Trials that the search may begin.
        max_samples: Examples through SGD, after which it begins no more.
        num_workers: Trials at once.
        until: The search is over when this is so of a trial that has ended.
        places: What earlier studies say is good, to be tried first.

    Returns:
        The trials in the order of their ends.
    """
    search = _Search(table, study, max_trials, places)
    clock = itertools.count()  # breaks ties by the order of events
    events: list[tuple[float, int, _Running]] = []
    samples, ended = 0.0, list[Ended]()

    def begin(now: float) -> None:
        running = search.propose() if samples < max_samples else None
        if running is not None:
            heapq.heappush(events, (now + _cost(running), next(clock), running))

    for _ in range(num_workers):
        begin(0.0)
    while events:
        now, _, running = heapq.heappop(events)
        samples += _cost(running)
        if not search.advance(running):
            heapq.heappush(events, (now + _cost(running), next(clock), running))
            continue
        ended.append(Ended(running.revealed, running.row, samples))
        if until(running.revealed):
            break
        begin(now)
    return ended


def _cost(running: _Running) -> float:
    """Examples through SGD of the megabatch that a trial trains now."""
    megabatch = running.next_megabatch
    if megabatch is None:
        return 0.0
    known = running.revealed.history.megabatches
    before = known[-1].metrics["samples_seen"] if known else 0.0
    return megabatch.metrics["samples_seen"] - before


class _Search:
    """What proposes, judges and learns."""

    def __init__(
        self,
        table: Table,
        study: StudyConfig,
        max_trials: int,
        places: Iterable[Mapping[str, Any]],
    ) -> None:
        self._rows: Sequence[RecordedTrial] = table.rows
        self._lookup = Lookup(study.space, table.rows)
        known = Record()
        known.places.extend(places)
        self._proposals = Proposals(study, known)
        self._stopping: Stopping = make_stopping(study)
        self._num_left = max_trials
        self._visits: Counter[int] = Counter()
        self._num_known: dict[str, int] = {}  # key of a row → its megabatches that were reported

    def propose(self) -> _Running | None:
        """The recorded trial for the next proposal that may keep the constraints.

        None where there are enough, or too many in a row are refused.
        """
        if self._num_left == 0:
            return None
        self._num_left -= 1
        for _ in range(_MOST_REFUSED):
            proposed, chosen = self._proposals.ask()
            violated = self._proposals.broken_by(chosen)
            if not violated:
                return self._begun(proposed, self._lookup.nearest(chosen))
            self._proposals.refuse(proposed, violated)
        return None

    def _begun(self, proposed: optuna.Trial, index: int) -> _Running:
        row = self._rows[index]
        self._visits[index] += 1
        key = row.key if self._visits[index] == 1 else f"{row.key}-{self._visits[index]}"
        blank = dataclasses.replace(row, key=key, history=TrialHistory(), outcome=None)
        return _Running(row, proposed, blank)

    def advance(self, running: _Running) -> bool:
        """The next megabatch has been learned; whether the trial has ended with it."""
        megabatch = running.next_megabatch
        trial = running.revealed
        if megabatch is not None:
            running.reveal(megabatch)
            if self._stopping.stops(trial, [megabatch]):
                trial.outcome = Outcome.EARLY_STOPPED
        if trial.outcome is None and running.next_megabatch is None:
            trial.outcome = running.row.outcome
        if trial.outcome is None:
            return False
        num_megabatches = len(trial.history.megabatches)
        if num_megabatches > self._num_known.get(running.row.key, -1):
            # Optuna gets the trial that was trained, which is near the one it asked for.
            self._proposals.tell_substitute(running.proposed, trial)
            self._num_known[running.row.key] = num_megabatches
        else:
            self._proposals.fail(running.proposed)
        return True
