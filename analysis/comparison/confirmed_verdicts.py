"""Configurations that were run again, judged against dense by seed and by example."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.comparison.by_example import wrong_examples
from analysis.comparison.dense_baseline import DENSE, num_megabatches
from analysis.comparison.fresh_seeds import Arm, Confirmation
from analysis.runs.cache import cached
from analysis.runs.study_runs import Runs
from analysis.statistics import summary
from analysis.statistics.verdicts import (
    LEVEL,
    Judgement,
    Losses,
    judge,
    service_losses,
    smallest_as_good,
)


@dataclass(frozen=True, eq=False)
class Judged:
    """One pruned configuration beside dense.

    Attributes:
        arm: Of a trial that the search had chosen.
        judgement: About the configuration; None where nothing can be compared by example.
    """

    arm: Arm
    judgement: Judgement | None

    @property
    def density(self) -> float:
        """Mean density over its seeds."""
        return float(self.arm.trials["density"].mean())


@dataclass(frozen=True, eq=False)
class FixedSequence:
    """Candidates of one T in the order in which they are tested: the largest density first.

    Attributes:
        num_megabatches: T.
        judged: The candidates, fixed before any was judged.
        smallest: The smallest that is as good as dense; None where none is shown to be.
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
        judged = [Judged(arm, _judgement(runs, arm, dense, level)) for arm, dense in pairs]
        judged.sort(key=lambda one: -one.density)
        made.append(FixedSequence(length, tuple(judged), _smallest(judged)))
    return tuple(made)


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


def _judgement(runs: Runs, arm: Arm, dense: Arm, level: float) -> Judgement | None:
    """By the seeds that both have; None without outcomes by example."""
    ours, theirs = _runs_by_seed(arm), _runs_by_seed(dense)
    seeds = [seed for seed in ours if seed in theirs]
    if len(seeds) < 2:
        return None
    a = losses(runs, [ours[seed] for seed in seeds])
    b = losses(runs, [theirs[seed] for seed in seeds])
    if a is None or b is None or a.service.shape != b.service.shape:
        return None
    return judge(a, b, margin=runs.study.margin, level=level)


def _runs_by_seed(arm: Arm) -> dict[str, str]:
    keys = summary.seed_keys(arm.trials)
    return dict(zip(map(str, keys), arm.trials["run_id"], strict=True))


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
