"""Which evidence judges the candidates of a study, and how often what it says is false."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.statistics.decidable import MARGIN
from analysis.statistics.sequential import follow_in_order
from analysis.statistics.verdicts import Judgement, judge, smallest_as_good
from benchmarks.evidence_studies import Array, Choice, EvidenceTable, Study, draw_study
from study.metrics import wilson_interval

SEEDS = 8


@dataclass(frozen=True)
class Outcome:
    """What a study said, and whether it is so.

    Attributes:
        named: The density of the network that was called as good; None where none was.
        is_false: Whether a claim of the study is false.
        reachable: The smallest density, of its trials, that is truly as good.
        trials: Further trials that it took.
        seeds: Pairs of seeds at its end.
        covered: Bounds that held the truth, and bounds in all.
    """

    named: float | None
    is_false: bool
    reachable: float
    trials: int = 0
    seeds: int = 0
    covered: tuple[int, int] = (0, 0)


def reachable(table: EvidenceTable, study: Study) -> float:
    """The smallest density among the trials that is truly as good; 1 where none is."""
    good = [c for c in study.trials if study.true_difference(c).max() < study.margin]
    return float(min((table.densities[c] for c in good), default=1.0))


def is_false(verdict: str, truth: Array, margin: float) -> bool:
    """Whether a verdict contradicts the true differences in service and final error."""
    return {
        "as_good": bool(truth.max() >= margin),
        "better": bool(truth.max() >= 0),
        "worse": bool(truth.max() <= margin),
        "undecided": False,
    }[verdict]


Way = Callable[[EvidenceTable, Study, list[int]], Outcome]


def old_rule(table: EvidenceTable, study: Study, candidates: list[int]) -> Outcome:
    """The smallest trial below the upper Wilson end of one dense run."""
    del candidates
    limit = wilson_interval(float(study.reference_errors[0]), len(study.searched_on))[1]
    passing = study.trials[study.errors[0] <= limit]
    if not len(passing):
        return Outcome(None, False, reachable(table, study))
    named = int(passing[np.argmin(table.densities[passing])])
    wrong = study.true_difference(named).max() >= study.margin
    return Outcome(float(table.densities[named]), bool(wrong), reachable(table, study))


def independent_binomials(table: EvidenceTable, study: Study, candidates: list[int]) -> Outcome:
    """Both sides' errors as two independent rates of the examples, in the fixed order."""
    named = None
    for candidate in candidates:
        seeds = study.fresh[:SEEDS]
        sides = [table.losses(c, seeds, study.judged_on) for c in (candidate, study.reference)]
        rates = np.array([[side.service.mean(), side.final.mean()] for side in sides])
        half = 1.645 * np.sqrt((rates * (1 - rates)).sum(axis=0) / len(study.judged_on))
        if (rates[0] - rates[1] + half).max() >= study.margin:
            break
        named = candidate
    wrong = named is not None and study.true_difference(named).max() >= study.margin
    density = None if named is None else float(table.densities[named])
    return Outcome(density, bool(wrong), reachable(table, study))


def confirmed(table: EvidenceTable, study: Study, candidates: list[int]) -> Outcome:
    """Fresh seeds, a fixed number of them."""
    seeds = study.fresh[:SEEDS]
    judgements = []
    for candidate in candidates:
        sides = [table.losses(c, seeds, study.judged_on) for c in (candidate, study.reference)]
        judgements.append(judge(*sides, margin=study.margin))
    outcome = _outcome(table, study, candidates, judgements)
    return replace(outcome, seeds=SEEDS, trials=SEEDS * (len(candidates) + 1))


def of_the_network(table: EvidenceTable, study: Study, candidates: list[int]) -> Outcome:
    """The networks of the search, on examples that it did not see."""
    judgements = []
    for candidate in candidates:
        sides = [
            table.network(c, study.seed, study.judged_on) for c in (candidate, study.reference)
        ]
        judgements.append(judge(*sides, margin=study.margin))
    return _outcome(table, study, candidates, judgements)


def until_decided(table: EvidenceTable, study: Study, candidates: list[int]) -> Outcome:
    """Looks after 6, 8, … fresh seeds at all that is open, as ``--until decided`` does."""
    reference = table.losses(study.reference, study.fresh, study.judged_on)
    pairs = [(table.losses(c, study.fresh, study.judged_on), reference) for c in candidates]
    found = [course.judgement for course in follow_in_order(pairs, margin=study.margin)]
    judgements = [judgement for judgement in found if judgement is not None]
    outcome = _outcome(table, study, candidates, judgements)
    seeds = [judgement.num_seeds for judgement in judgements]
    most = max(seeds, default=0)
    return replace(outcome, trials=sum(seeds) + most, seeds=most)


def _outcome(
    table: EvidenceTable,
    study: Study,
    candidates: Sequence[int],
    judgements: Sequence[Judgement],
) -> Outcome:
    """Every verdict counts as a claim, but *as good* behind the first that fails."""
    last = smallest_as_good(judgements)
    wrong, held = False, []
    for place, (candidate, judgement) in enumerate(zip(candidates, judgements, strict=True)):
        truth = (
            study.true_difference(candidate)
            if judgement.about == "configuration"
            else study.true_network_difference(candidate)
        )
        for difference, value in zip((judgement.service, judgement.final), truth, strict=True):
            held += [value < difference.upper(judgement.level)]
            held += [value > difference.lower(judgement.level)]
        if judgement.verdict == "worse" or (last is not None and place <= last):
            wrong |= is_false(judgement.verdict, truth, judgement.margin)
    named = None if last is None else float(table.densities[candidates[last]])
    return Outcome(named, wrong, reachable(table, study), covered=(int(sum(held)), len(held)))


@dataclass(frozen=True)
class Design:
    """Which examples and seeds judge.

    Attributes:
        name: For people.
        way: How its candidates are judged.
        judging_share: Of the holdout, kept from the search; 0 where all judge that it saw.
    """

    name: str
    way: Way
    judging_share: float


DESIGNS = (
    Design("old rule", old_rule, 0.0),
    Design("independent binomials, 8 fresh seeds", independent_binomials, 0.0),
    Design("half of the holdout, no new seeds", of_the_network, 0.5),
    Design("8 fresh seeds, same holdout", confirmed, 0.0),
    Design("8 fresh seeds and half of the holdout", confirmed, 0.5),
    Design("until decided, same holdout", until_decided, 0.0),
)


def simulate(
    table: EvidenceTable,
    design: Design,
    choice: Choice,
    *,
    size: int,
    num_studies: int,
    margin: float = MARGIN,
) -> list[Outcome]:
    """Studies of one design, the same searches for every design of one holdout."""
    outcomes = []
    for number in range(num_studies):
        rng = np.random.default_rng([size, number])
        study = draw_study(
            table, rng, size=size, judging_share=design.judging_share, margin=margin
        )
        outcomes.append(design.way(table, study, choice(table, study)))
    return outcomes


def simulate_past_margin(
    table: EvidenceTable, design: Design, choice: Choice, *, size: int, num_studies: int
) -> list[Outcome]:
    """Studies whose margin is the true difference of the best of their candidates.

    So every candidate lies at the margin or past it, and to call any of them as good is false.
    Candidates that are truly as good as dense or nearly (less than 0.3 points worse) are left out.
    """
    outcomes: list[Outcome] = []
    for number in range(20 * num_studies):
        rng = np.random.default_rng([size, number])
        study = draw_study(
            table, rng, size=size, judging_share=design.judging_share, margin=MARGIN
        )
        past = [c for c in choice(table, study) if study.true_difference(c).max() > 0.003]
        if past:
            margin = min(float(study.true_difference(c).max()) for c in past)
            outcomes.append(design.way(table, replace(study, margin=margin), past))
        if len(outcomes) == num_studies:
            break
    return outcomes
