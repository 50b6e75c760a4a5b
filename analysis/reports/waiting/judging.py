"""Which policy is worth its compute: chosen under some seeds, judged under the others.

And on other examples: models and examples that have chosen a policy say nothing for it.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from analysis.reports.waiting.policies import (
    EVERY,
    Exactly,
    WaitingPolicy,
    rules,
    sets_of_arrivals,
)
from analysis.reports.waiting.replay import (
    Configuration,
    RecordedStream,
    Replay,
    losses,
    replay,
    served,
)
from analysis.statistics.kept_service import kept_service
from analysis.statistics.mean_difference import no_difference
from analysis.statistics.summary import Interval
from analysis.statistics.verdicts import FEWEST_SEEDS, Judgement, judge, smallest_as_good
from study.metrics import service_error
from study.pareto import undominated
from study.seeding import derive_seed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Relative: half of what falls at once, more or less, makes no larger network.
_SAME_SIZE = 0.01
# How much of the margin a candidate may be worse by, where it is chosen.
_ROOM = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Weighed:
    """A policy, and what it comes to on some streams and examples: means over the seeds.

    Attributes:
        policy: The policy.
        sets: The arrivals that it takes under each seed.
        compute: Its training FLOPs as a share of those of training at every arrival.
        service: Service error.
        final: Final error.
        density: Of the last model: where schedules go on pruning, the later, the smaller.
    """

    policy: WaitingPolicy
    sets: tuple[tuple[int, ...], ...]
    compute: float
    service: float
    final: float
    density: float

    def ends_as(self, other: "Weighed") -> bool:
        """Whether their last models are the same."""
        return [at[-1] for at in self.sets] == [at[-1] for at in other.sets]

    def is_larger_than(self, other: "Weighed") -> bool:
        """Whether it ends with a larger network."""
        return self.density > other.density * (1 + _SAME_SIZE)


@dataclass(frozen=True)
class JudgedPolicy:
    """A policy under the seeds, and on the half of the holdout, that did not choose it.

    Attributes:
        weighed: What it comes to there.
        kept: The service that it keeps of training at every arrival, and its interval.
        judgement: Against training at every arrival.
        replays: By seed, on the whole holdout and on test.
    """

    weighed: Weighed
    kept: tuple[float, Interval | None]
    judgement: Judgement
    replays: tuple[Replay, ...]


@dataclass(frozen=True)
class Answer:
    """What one configuration's streams say of waiting.

    Attributes:
        every: Training at every arrival.
        candidates: At most three, in the order in which they are tested: the dearest first.
        best: The cheapest that is as good; None where none is shown to be.
        rules: The policies that are stated in words, each once; not tested.
        front: Undominated in service error and compute where policies are chosen, of those that
            end with no larger network.
        nearest: The one that came nearest to training at every arrival there, of those that were
            affordable.
        num_policies: How many were weighed.
        num_choosing: Seeds that chose; none where a single one does both.
    """

    every: JudgedPolicy
    candidates: tuple[JudgedPolicy, ...]
    best: JudgedPolicy | None
    rules: tuple[JudgedPolicy, ...]
    front: tuple[JudgedPolicy, ...]
    nearest: JudgedPolicy | None
    num_policies: int
    num_choosing: int

    @property
    def tested(self) -> tuple[JudgedPolicy, ...]:
        """The candidates up to the first that is not as good: what a verdict is said of."""
        as_good = list(itertools.takewhile(lambda c: c.judgement.is_as_good, self.candidates))
        return self.candidates[: len(as_good) + 1]


def halves(num_examples: int) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """Which examples of a holdout choose, and which judge: drawn once for all studies."""
    import numpy as np

    drawn = np.random.default_rng(derive_seed(0, "waiting")).permutation(num_examples)
    half = num_examples // 2
    return np.sort(drawn[:half]), np.sort(drawn[half:])


def num_choosing(num_seeds: int) -> int:
    """How many of the seeds choose; the others judge, of which a verdict takes five.

    Half of them, if that leaves enough. None of a single one: it is judged as that one network,
    by the examples that did not choose.
    """
    spare = num_seeds - FEWEST_SEEDS
    return min(num_seeds // 2, spare) if spare > 0 else num_seeds // 2


def answer(found: Configuration, *, margin: float, level: float, budget: float) -> Answer:
    """Choose among all policies under the first seeds, and judge under the others.

    Each on a half of the holdout. None is chosen that ends with a larger network than training at
    every arrival does.

    Candidates are the cheapest policies whose errors, where they are chosen, are no worse than
    those of training at every arrival, worse by half the margin at most, and by the margin at
    most. They are tested from the dearest to the cheapest, up to the first that is not shown to be
    as good, which keeps the level of a single test.

    Args:
        found: One trial a seed.
        margin: How much worse is still as good.
        level: Of anything false.
        budget: The largest share of compute that a policy may take.
    """
    choosing, judging = halves(found.streams[0].wrong.shape[1])
    number = num_choosing(len(found.streams))
    choosers, judges = found.streams[:number] or found.streams, found.streams[number:]
    weighed = _all_weighed(choosers, choosing)
    every = next(w for w in weighed if w.policy == EVERY)
    reference = _weigh(EVERY, judges, _rates(judges, judging))
    as_small = [w for w in weighed if not w.is_larger_than(every)]
    affordable = [w for w in as_small if w.compute <= budget and w is not every]
    chosen = _candidates(affordable, every, margin)

    def judged(one: Weighed) -> JudgedPolicy:
        again = _weigh(one.policy, judges, _rates(judges, judging))
        return _judged(judges, again, reference, judging, margin=margin, level=level)

    tested = tuple(judged(one) for one in chosen)
    index = smallest_as_good([one.judgement for one in tested])
    costs = [(one.compute, one.service) for one in as_small]
    on_front = [w for w, is_on in zip(as_small, undominated(costs), strict=True) if is_on]
    return Answer(
        every=judged(every),
        candidates=tested,
        best=None if index is None else tested[index],
        rules=tuple(judged(w) for w in weighed if not isinstance(w.policy, Exactly)),
        front=tuple(judged(one) for one in sorted(on_front, key=lambda w: w.compute)),
        nearest=judged(min(affordable, key=lambda w: w.service)) if affordable else None,
        num_policies=len(weighed),
        num_choosing=number,
    )


def _all_weighed(
    streams: "Sequence[RecordedStream]", examples: "NDArray[np.int64]"
) -> list[Weighed]:
    """Each policy that differs from those before it, rules first."""
    num_megabatches, rates = streams[0].num_megabatches, _rates(streams, examples)
    made: dict[tuple[tuple[int, ...], ...], Weighed] = {}
    for policy in (*rules(num_megabatches), *sets_of_arrivals(num_megabatches)):
        one = _weigh(policy, streams, rates)
        made.setdefault(one.sets, one)
    return list(made.values())


def _rates(
    streams: "Sequence[RecordedStream]", examples: "NDArray[np.int64]"
) -> list[list[float]]:
    """By stream: error rate of each model on these examples."""
    return [stream.wrong[:, examples].mean(axis=1).tolist() for stream in streams]


def _weigh(
    policy: WaitingPolicy,
    streams: "Sequence[RecordedStream]",
    rates: Sequence[Sequence[float]],
) -> Weighed:
    sets = tuple(policy.trained_at(s.arrivals) for s in streams)
    each = list(zip(sets, streams, strict=True))
    errors = [
        _errors(at, own, s.chance, s.service_after)
        for (at, s), own in zip(each, rates, strict=True)
    ]
    return Weighed(
        policy,
        sets,
        compute=fmean(sum(s.flops[k] for k in at) / sum(s.flops) for at, s in each),
        service=fmean(service for service, _ in errors),
        final=fmean(final for _, final in errors),
        density=fmean(s.densities[at[-1]] for at, s in each),
    )


def _errors(
    at: tuple[int, ...], rates: Sequence[float], chance: float, service_after: float
) -> tuple[float, float]:
    """Service and final error by the error rates of the models."""
    errors = [chance if k is None else rates[k] for k in served(at, len(rates))]
    return service_error(errors, chance=chance, service_after=service_after), errors[-1]


def _candidates(affordable: Sequence[Weighed], every: Weighed, margin: float) -> list[Weighed]:
    """The dearest first, each once."""
    found: list[Weighed] = []
    for room in _ROOM:
        near = [
            one
            for one in affordable
            if max(one.service - every.service, one.final - every.final) <= room * margin
        ]
        if near:
            cheapest = min(near, key=lambda one: (one.compute, one.service))
            if cheapest not in found:
                found.append(cheapest)
    return sorted(found, key=lambda one: -one.compute)


def _judged(
    streams: "Sequence[RecordedStream]",
    one: Weighed,
    every: Weighed,
    examples: "NDArray[np.int64]",
    *,
    margin: float,
    level: float,
) -> JudgedPolicy:
    ours, theirs = (losses(streams, w.sets, examples) for w in (one, every))
    judgement = judge(ours, theirs, margin=margin, level=level)
    if one.ends_as(every):
        same = no_difference(judgement.num_examples)
        judgement = dataclasses.replace(judgement, final=same)
    return JudgedPolicy(
        one,
        kept=kept_service(ours.service, theirs.service, chance_error=streams[0].chance),
        judgement=judgement,
        replays=tuple(replay(s, at) for s, at in zip(streams, one.sets, strict=True)),
    )
