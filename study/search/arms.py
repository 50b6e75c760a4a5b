"""Which sampler proposes next: the study's one, or each arm's own, in turns."""

import itertools
from collections.abc import Mapping
from typing import Any

import optuna

from study.config.arms import arm_name
from study.config.study_config import StudyConfig
from study.search.optuna_study import Proposals
from study.store.record import Record, RecordedTrial


class SearchedArms:
    """The proposals of every arm, each from a sampler of its own that knows its arm alone.

    The arm with the fewest proposals is next, the first in the file among equals, so that at any
    moment no arm is more than one ahead of another. How many there are is read from the record.
    A study without arms is a single one.
    """

    def __init__(self, study: StudyConfig, record: Record) -> None:
        self._study = study
        self._record = record
        self.proposals = tuple(
            Proposals(study, record, arm=arm) for arm in study.search_arms or (None,)
        )
        self._exhausted: set[str] = set()
        self._numbers = {_name(p): 0 for p in self.proposals}
        self._num_counted = 0  # of the record's trials

    def next(self) -> Proposals | None:
        """Whose turn it is; None where every arm has had its share, or has nothing left to try."""
        numbers = self.num_proposed()
        left = [
            p
            for p in self.proposals
            if numbers[_name(p)] < self._study.proposals_per_arm
            and _name(p) not in self._exhausted
        ]
        return min(left, key=lambda p: numbers[_name(p)], default=None)

    def exhaust(self, proposals: Proposals) -> str:
        """An arm has nothing left to try; which, and what it came to, for people."""
        self._exhausted.add(_name(proposals))
        proposed, share = self.num_proposed()[_name(proposals)], self._study.proposals_per_arm
        of_arm = f" of the arm {_name(proposals)}" if proposals.arm else ""
        return f"the search{of_arm} ends after {proposed} of {share} proposals"

    def num_proposed(self) -> dict[str, int]:
        """Name of the arm → how many trials its sampler has proposed."""
        trials = self._record.trials.values()
        for trial in itertools.islice(trials, self._num_counted, None):
            if trial.source == "search" and (own := self.of(trial.chosen)) is not None:
                self._numbers[_name(own)] += 1
        self._num_counted = len(trials)
        return dict(self._numbers)

    def of(self, chosen: Mapping[str, Any]) -> Proposals | None:
        """Those of the arm to which a trial belongs; None for a point that belongs to none."""
        if not self._study.search_arms:
            return self.proposals[0]
        arm = self._study.arm_of(chosen)
        return next((p for p in self.proposals if p.arm == arm), None)

    def enqueue(self, chosen: Mapping[str, Any]) -> optuna.Trial | None:
        """As :meth:`Proposals.enqueue`, with the arm to which the values belong."""
        own = self.of(chosen)
        return own.enqueue(chosen) if own else None

    def tell(self, trial: optuna.Trial, recorded: RecordedTrial) -> None:
        """As :meth:`Proposals.tell`, to the sampler that knows the trial."""
        own = self.of(recorded.chosen)
        assert own is not None, "a sampler has proposed it"
        own.tell(trial, recorded)


def _name(proposals: Proposals) -> str:
    return arm_name(proposals.arm or {})
