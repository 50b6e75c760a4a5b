"""Configurations that were run again, judged against dense by seed and by example."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.comparison.by_example import wrong_examples
from analysis.comparison.dense_baseline import DENSE, num_megabatches
from analysis.comparison.fresh_seeds import Arm, Confirmation, confirmation, searched
from analysis.runs.cache import cached
from analysis.runs.study_runs import Runs
from analysis.statistics import summary
from analysis.statistics.decidable import LEVEL
from analysis.statistics.losses import Losses, service_losses
from analysis.statistics.sequential import Course, follow_in_order
from analysis.statistics.verdicts import (
    FEWEST_EXAMPLES,
    Judgement,
    judge,
    smallest_as_good,
)
from study.candidates import DENSITY, smallness

RunIds = tuple[str, str]  # of a pruned network and of dense


@dataclass(frozen=True, eq=False)
class Judged:
    """One pruned configuration beside dense.

    Attributes:
        arm: Of a trial that the search had chosen.
        dense: What it was run beside.
        judgement: About the configuration; None where nothing can be compared by example.
        course: Where it stands, if it is followed until it is decided.
        pairs: Run ids of the two under each seed that was judged.
        num_examples: On which both have left outcomes; 0 where they have none in common.
    """

    arm: Arm
    dense: Arm
    judgement: Judgement | None
    course: Course | None = None
    pairs: tuple[RunIds, ...] = ()
    num_examples: int = 0

    def errors(self, metric: str) -> tuple[float, float]:
        """Means over the seeds that were judged: the configuration's and dense's."""
        ours, theirs = zip(*self.pairs, strict=True)
        return _mean(self.arm, metric, ours), _mean(self.dense, metric, theirs)

    @property
    def density(self) -> float:
        """Mean density over its seeds."""
        return float(self.arm.trials["density"].mean())

    @property
    def is_open(self) -> bool:
        """Whether more seeds are run for it, since another look may settle it."""
        return self.course is not None and self.course.ending is None


@dataclass(frozen=True, eq=False)
class FixedSequence:
    """Candidates of one T in the order in which they are tested: the largest first.

    Attributes:
        num_megabatches: T.
        judged: The candidates, fixed before any was judged.
        smallest: The smallest that is as good as dense, the fastest where a speed-up is sought;
            None where none is shown to be.
    """

    num_megabatches: int
    judged: tuple[Judged, ...]
    smallest: Judged | None


@cached
def sequences(runs: Runs, found: Confirmation) -> tuple[FixedSequence, ...]:
    """The chosen configurations against dense, T by T, with 5 % for all that is said of them.

    Within one T candidates are tested in a fixed order up to the first that is not as good, which
    keeps the level of a single test; several T share it.

    Args:
        runs: The confirming study.
        found: What it says.

    Returns:
        Nothing where each seed has a holdout of its own: then no example is met twice.
    """
    if found.varies_data:
        return ()
    by_length: dict[int, list[tuple[Arm, Arm]]] = {}
    for arm in found.chosen:
        dense = _dense_of(arm, found)
        if dense is not None:
            by_length.setdefault(num_megabatches(arm.first), []).append((arm, dense))
    level = LEVEL / max(len(by_length), 1)
    made = []
    for length, pairs in sorted(by_length.items()):
        sizes = _sizes(runs, [arm for arm, _ in pairs])
        pairs.sort(key=lambda pair: -sizes[id(pair[0])])
        shared = [_shared_seeds(arm, dense) for arm, dense in pairs]
        sides = [_sides(runs, run_ids) for run_ids in shared]
        judgements = _judgements(runs, sides, level)
        judged = [
            Judged(
                *pair,
                judgement,
                course,
                run_ids[: judgement.num_seeds] if judgement else (),
                known[0].service.shape[1] if known else 0,
            )
            for pair, run_ids, known, (judgement, course) in zip(
                pairs, shared, sides, judgements, strict=True
            )
        ]
        made.append(FixedSequence(length, tuple(judged), _smallest(judged)))
    return tuple(made)


def _sizes(runs: Runs, arms: Sequence[Arm]) -> dict[int, float]:
    """By which candidates are put in order, by their identity: known before they are judged.

    Densities are their own; a speed or a file is what the search had found. Where that is not
    known of all of them, densities order them.
    """
    sought = runs.study.sought
    known = [searched(runs, arm.number, sought) for arm in arms]
    if sought == DENSITY or any(value is None or not value > 0 for value in known):
        return {id(arm): float(arm.trials["density"].mean()) for arm in arms}
    found = zip(arms, known, strict=True)
    return {id(arm): smallness(sought, value) for arm, value in found if value is not None}


def judged_by(runs: Runs, found: Confirmation) -> frozenset[int]:
    """Numbers of the confirmed trials that have a verdict, if only that it is undecided."""
    judged = [one for tested in sequences(runs, found) for one in tested.judged]
    return frozenset(
        one.arm.number for one in judged if one.judgement and one.arm.number is not None
    )


def open_trials(runs: Runs) -> frozenset[int]:
    """Numbers of the confirmed trials whose verdict more seeds may settle.

    Args:
        runs: A confirming study whose trials have ended.
    """
    judged = [one for tested in sequences(runs, confirmation(runs)) for one in tested.judged]
    return frozenset(
        one.arm.number for one in judged if one.is_open and one.arm.number is not None
    )


def _judgements(
    runs: Runs, sides: "Sequence[tuple[Losses, Losses] | None]", level: float
) -> list[tuple[Judgement | None, Course | None]]:
    """One a candidate: after all seeds, or as far as its looks have come.

    None of one that has too few examples.
    """
    margin, looks = runs.study.margin, runs.study.looks
    sides = [s if s and s[0].service.shape[1] >= FEWEST_EXAMPLES else None for s in sides]
    if not looks:
        return [(judge(*s, margin=margin, level=level) if s else None, None) for s in sides]
    # One that cannot be compared ends the order, as one that is not as good does.
    known = [pair for pair in itertools.takewhile(lambda pair: pair is not None, sides) if pair]
    courses = follow_in_order(known, margin=margin, level=level, looks=looks)
    found: list[tuple[Judgement | None, Course | None]] = [(c.judgement, c) for c in courses]
    return found + [(None, None)] * (len(sides) - len(known))


def _dense_of(arm: Arm, found: Confirmation) -> Arm | None:
    """The dense baseline that was run for a pruned arm."""
    if arm.first["method"] == DENSE:
        return None
    return next(
        (b for b in found.arms if b.first["method"] == DENSE and arm.number in b.baseline_of), None
    )


def _smallest(judged: Sequence[Judged]) -> Judged | None:
    """One that cannot be judged ends the sequence, as one that is not as good does."""
    known = itertools.takewhile(lambda one: one.judgement is not None, judged)
    index = smallest_as_good([one.judgement for one in known if one.judgement is not None])
    return None if index is None else judged[index]


def _shared_seeds(arm: Arm, dense: Arm) -> tuple[RunIds, ...]:
    """Runs of both under each seed that both have, in order."""
    ours, theirs = _runs_by_seed(arm), _runs_by_seed(dense)
    return tuple((ours[seed], theirs[seed]) for seed in ours if seed in theirs)


def _sides(runs: Runs, shared: Sequence[RunIds]) -> tuple[Losses, Losses] | None:
    """Losses of both by seed; None without two seeds, or outcomes by example."""
    if len(shared) < 2:
        return None
    a, b = (losses(runs, run_ids) for run_ids in zip(*shared, strict=True))
    if a is None or b is None or a.service.shape != b.service.shape:
        return None
    return a, b


def _runs_by_seed(arm: Arm) -> dict[str, str]:
    trials = arm.trials.sort_values("number", kind="stable")
    return dict(zip(map(str, summary.seed_keys(trials)), trials["run_id"], strict=True))


def _mean(arm: Arm, metric: str, run_ids: Sequence[str]) -> float:
    return float(arm.trials.loc[arm.trials["run_id"].isin(run_ids), metric].mean())


def losses(runs: Runs, run_ids: Sequence[str]) -> Losses | None:
    """Losses by example of one configuration under several seeds, ``[seeds, n]``.

    The time before the first model is left out: it is the same for all, and nothing in a
    difference.

    Args:
        runs: The study that the runs are of.
        run_ids: One for each seed.

    Returns:
        None where a run has left no outcomes by example, or others than the first.
    """
    import numpy as np

    found = [wrong_examples(runs, run_id) for run_id in run_ids]
    known = [wrong for wrong in found if wrong is not None]
    if len(known) < len(found) or len({wrong.shape for wrong in known}) != 1:
        return None
    wrong = np.stack(known)
    service = service_losses(wrong, chance_error=0.0, service_after=runs.study.service_after)
    return Losses(service, wrong[:, -1].astype(float))
