"""How often verdicts are false, and how often they find what is there: studies drawn from a table.

    python -m benchmarks.evidence [--table FILE] [--studies 500]

draws studies from the recorded table (``benchmarks.evidence_table``): a random search under one
seed on a holdout of so many examples, its candidates for "the smallest as good as dense", and
their confirmation. What is true is the mean over all seeds on all examples that are not in the
holdout. Rates are shares of all studies.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

from analysis.statistics.sequential import LOOKS, follow, look_levels
from analysis.statistics.verdicts import (
    LEVEL,
    MARGIN,
    Judgement,
    Losses,
    judge,
    mean_difference,
    smallest_as_good,
)
from benchmarks.table import Figure
from study.metrics import chance_error, wilson_interval

SUITE = "evidence"
TABLE = Path(__file__).parent / "tables" / "evidence.parquet"
SIZES = (72, 144, 360, 1000)
SEARCHED, TOP, SEEDS = 30, 3, 8
NUM_MEGABATCHES = 4
CHANCE = chance_error(10)
Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class EvidenceTable:
    """Trials at one T.

    Attributes:
        densities: Of each configuration at the end of the stream; 1 is dense.
        names: Of each configuration, for people.
        early: Wrong answers before the last megabatch, ``uint8 [configurations, seeds, n]``.
        last: Whether the last model is wrong, ``bool``, of the same shape.
    """

    densities: Array
    names: tuple[str, ...]
    early: NDArray[np.uint8]
    last: NDArray[np.bool_]

    @property
    def num_seeds(self) -> int:
        """Of every configuration."""
        return int(self.last.shape[1])

    @property
    def num_examples(self) -> int:
        """In all."""
        return int(self.last.shape[2])

    @property
    def dense(self) -> Indices:
        """The baselines."""
        return np.flatnonzero(self.densities == 1)

    @property
    def pruned(self) -> Indices:
        """What a search draws from."""
        return np.flatnonzero(self.densities < 1)

    def losses(self, configuration: int, seeds: Indices, examples: Indices) -> Losses:
        """``[seeds, examples]`` of one configuration."""
        cells = np.ix_(seeds, examples)
        return self._losses(self.early[configuration][cells], self.last[configuration][cells])

    def network(self, configuration: int, seed: int, examples: Indices) -> Losses:
        """``[examples]`` of one trial."""
        return self._losses(
            self.early[configuration, seed, examples], self.last[configuration, seed, examples]
        )

    @staticmethod
    def _losses(early: NDArray[np.uint8], last: NDArray[np.bool_]) -> Losses:
        final = last.astype(np.float64)
        return Losses(((CHANCE + early) / NUM_MEGABATCHES + final) / 2, final)

    @cached_property
    def sums(self) -> Array:
        """Losses over all examples ``[2, configurations, seeds]``: service and final."""
        last = self.last.sum(axis=2, dtype=np.float64)
        early = CHANCE * self.num_examples + self.early.sum(axis=2, dtype=np.float64)
        return np.stack([(early / NUM_MEGABATCHES + last) / 2, last])

    def truth(self, examples: Indices) -> Array:
        """Mean losses outside ``examples``: ``[2, configurations, seeds]``."""
        early = CHANCE * len(examples) + self.early[:, :, examples].sum(axis=2, dtype=np.float64)
        last = self.last[:, :, examples].sum(axis=2, dtype=np.float64)
        inside = np.stack([(early / NUM_MEGABATCHES + last) / 2, last])
        outside: Array = (self.sums - inside) / (self.num_examples - len(examples))
        return outside


def read_table(path: Path, num_megabatches: int = NUM_MEGABATCHES) -> EvidenceTable:
    """The trials of a file, or of a folder of parts, at one T, under the seeds that all have."""
    paths = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    rows = pa.concat_tables([pq.read_table(p) for p in paths]).to_pylist()
    rows = [row for row in rows if row["num_megabatches"] == num_megabatches]
    by_cell = {(row["configuration"], row["seed"]): row for row in rows}
    numbers = sorted({number for number, _ in by_cell})
    seeds = [
        seed
        for seed in sorted({seed for _, seed in by_cell})
        if all((number, seed) in by_cell for number in numbers)
    ]
    wrong = np.stack(
        [np.stack([_wrong(by_cell[number, seed]) for seed in seeds]) for number in numbers]
    )
    first = [by_cell[number, seeds[0]] for number in numbers]
    return EvidenceTable(
        densities=np.array([row["final_density"] for row in first]),
        names=tuple(
            f"{row['schedule']} {row['criterion']} {row['final_density']:g} lr {row['lr']:g}"
            for row in first
        ),
        early=wrong[:, :, :-1].sum(axis=2, dtype=np.uint8),
        last=wrong[:, :, -1],
    )


def _wrong(row: dict[str, object]) -> NDArray[np.bool_]:
    """``[T, n]``, the two pools one after the other."""
    found = []
    for pool in ("judges_wrong", "others_wrong"):
        packed = row[pool]
        assert isinstance(packed, bytes)
        bits = np.unpackbits(np.frombuffer(packed, np.uint8)).astype(bool)
        found.append(bits[: len(bits)].reshape(NUM_MEGABATCHES, -1))
    return np.concatenate(found, axis=1)


@dataclass(frozen=True)
class Study:
    """A search that has ended.

    Attributes:
        searched_on: Examples that the search saw.
        judged_on: Examples that judge its candidates.
        seed: Of its trials.
        fresh: Seeds of the confirmation, in their order; drawn with replacement.
        reference: The best dense configuration.
        trials: Pruned configurations that were tried.
        errors: Service and final error of each trial on what the search saw, ``[2, trials]``.
        reference_errors: Those of the reference, ``[2]``.
        truth: Mean losses elsewhere, ``[2, configurations, seeds]``.
        margin: As a fraction of examples.
    """

    searched_on: Indices
    judged_on: Indices
    seed: int
    fresh: Indices
    reference: int
    trials: Indices
    errors: Array
    reference_errors: Array
    truth: Array
    margin: float

    def true_difference(self, configuration: int) -> Array:
        """Service and final error of the configuration less the reference's."""
        means = self.truth.mean(axis=2)
        difference: Array = means[:, configuration] - means[:, self.reference]
        return difference

    def true_network_difference(self, configuration: int) -> Array:
        """The same of the two networks of the search."""
        found: Array = (
            self.truth[:, configuration, self.seed] - self.truth[:, self.reference, self.seed]
        )
        return found


def draw_study(
    table: EvidenceTable,
    rng: np.random.Generator,
    *,
    size: int,
    judging_share: float,
    margin: float,
) -> Study:
    """A random search on a holdout of ``size``, of which a share is kept from it (0: none)."""
    holdout = rng.choice(table.num_examples, size, replace=False)
    num_kept = round(judging_share * size)
    searched_on = holdout[num_kept:]
    seed = int(rng.integers(table.num_seeds))
    others = np.delete(np.arange(table.num_seeds), seed)
    trials = rng.choice(table.pruned, SEARCHED, replace=False)
    fresh = rng.choice(others, max(LOOKS))

    def errors(configurations: Indices) -> Array:
        seen = [table.network(int(c), seed, searched_on) for c in configurations]
        return np.array([[s.service.mean() for s in seen], [s.final.mean() for s in seen]])

    dense = errors(table.dense)
    best = int(np.argmin(dense[0]))
    return Study(
        searched_on=searched_on,
        judged_on=holdout[:num_kept] if num_kept else holdout,
        seed=seed,
        fresh=fresh,
        reference=int(table.dense[best]),
        trials=trials,
        errors=errors(trials),
        reference_errors=dense[:, best],
        truth=table.truth(holdout),
        margin=margin,
    )


Choice = Callable[[EvidenceTable, Study], list[int]]


def looking_as_good(table: EvidenceTable, study: Study, *, allowed: float) -> list[int]:
    """Of the front of density and service error what looks as good as dense, largest first.

    In both errors, within the share ``allowed`` of the margin, on what the search saw.
    """
    order = np.lexsort((study.errors[0], table.densities[study.trials]))
    points, best = [], np.inf
    for place in order:
        if study.errors[0, place] < best:
            best = study.errors[0, place]
            points.append(int(place))
    limit = study.reference_errors + allowed * study.margin
    return [int(study.trials[p]) for p in points[::-1] if (study.errors[:, p] < limit).all()]


def smallest_points(table: EvidenceTable, study: Study) -> list[int]:
    """The smallest of the front that look as good."""
    return looking_as_good(table, study, allowed=1.0)[-TOP:]


def spread_points(table: EvidenceTable, study: Study) -> list[int]:
    """The largest of the front that looks as good, the smallest, and the middle of their logs."""
    return spread(table, looking_as_good(table, study, allowed=1.0))


def cautious_points(table: EvidenceTable, study: Study) -> list[int]:
    """The same of those that look as good within half the margin."""
    return spread(table, looking_as_good(table, study, allowed=0.5))


def spread(table: EvidenceTable, points: list[int]) -> list[int]:
    """The largest, the smallest and the middle of their logs, of points by falling density."""
    if len(points) <= TOP:
        return points
    logs = np.log(table.densities[points])
    middle = 1 + int(np.argmin(np.abs(logs[1:-1] - (logs[0] + logs[-1]) / 2)))
    return [points[0], points[middle], points[-1]]


CHOICES: dict[str, Choice] = {
    "smallest": smallest_points,
    "spread": spread_points,
    "cautious": cautious_points,
}


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
    return _outcome(table, study, candidates, judgements)


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
    """Looks after 6, 8, … fresh seeds, candidate by candidate, up to the first that fails."""
    judgements: list[Judgement] = []
    for candidate in candidates:
        sides = [
            table.losses(c, study.fresh, study.judged_on) for c in (candidate, study.reference)
        ]
        found = follow(*sides, margin=study.margin).judgement
        assert found is not None
        judgements.append(found)
        if not found.is_as_good:
            break
    outcome = _outcome(table, study, candidates[: len(judgements)], judgements)
    most = max((j.num_seeds for j in judgements), default=0)
    trials = sum(j.num_seeds for j in judgements) + most
    return replace(outcome, trials=trials, seeds=most)


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


def share(flags: Sequence[bool]) -> str:
    """In percent, with the 95 % Wilson interval."""
    if not len(flags):
        return "–"
    rate = float(np.mean(flags))
    low, high = wilson_interval(rate, len(flags))
    return f"{rate:.1%} [{low:.1%}, {high:.1%}]"


def found(outcomes: Sequence[Outcome], limit: float) -> list[bool]:
    """Of the studies that hold a truly as-good network up to ``limit``, which name such a one."""
    return [
        o.named is not None and o.named <= limit and not o.is_false
        for o in outcomes
        if o.reachable <= limit
    ]


def rows(table: EvidenceTable, num_studies: int, margin: float) -> Iterator[list[str]]:
    """A line a holdout size, design and choice of candidates."""
    for size in SIZES:
        for design in DESIGNS:
            for name, choice in CHOICES.items():
                if design.way is old_rule and name != "smallest":
                    continue
                made = simulate(
                    table, design, choice, size=size, num_studies=num_studies, margin=margin
                )
                claims = [o.is_false for o in made if o.named is not None]
                held, asked = np.sum([o.covered for o in made], axis=0)
                yield [
                    str(size),
                    design.name,
                    name,
                    share([o.is_false for o in made]),
                    f"{sum(claims)} of {len(claims)}",
                    share([o.named is not None for o in made]),
                    share(found(made, 1 / 3)),
                    share(found(made, 0.1)),
                    f"{held / asked:.1%}" if asked else "–",
                ]


def past_margin_rows(table: EvidenceTable, num_studies: int) -> Iterator[list[str]]:
    """A line a holdout size and design: every claim of *as good* is false."""
    for size in SIZES:
        for design in DESIGNS:
            made = simulate_past_margin(
                table, design, smallest_points, size=size, num_studies=num_studies
            )
            yield [str(size), design.name, str(len(made)), share([o.is_false for o in made])]


def sequential_rows(table: EvidenceTable, num_studies: int) -> Iterator[list[str]]:
    """A line a holdout size: what *until decided* takes."""
    design = DESIGNS[-1]
    for size in SIZES:
        made = simulate(table, design, smallest_points, size=size, num_studies=num_studies)
        seeds = [o.seeds for o in made]
        held, asked = np.sum([o.covered for o in made], axis=0)
        yield [
            str(size),
            f"{np.median(seeds):.0f}",
            f"{np.mean(seeds):.1f}",
            f"{np.mean([s == max(LOOKS) for s in seeds]):.1%}",
            f"{np.mean([o.trials for o in made]):.1f}",
            f"{held / asked:.1%}",
        ]


def truth_lines(table: EvidenceTable) -> Iterator[str]:
    """How well the truth is known, and how many configurations lie near the margin."""
    everything = np.arange(table.num_examples)
    all_seeds = np.arange(table.num_seeds)
    means = table.sums.mean(axis=2) / table.num_examples
    reference = int(table.dense[np.argmin(means[0, table.dense])])
    errors, gaps = [], []
    for configuration in table.pruned:
        a, b = (table.losses(c, all_seeds, everything) for c in (configuration, reference))
        both = [mean_difference(a.service - b.service), mean_difference(a.final - b.final)]
        errors.append(max(d.variance**0.5 for d in both))
        gaps.append(max(d.estimate for d in both))
    near = [e for e, g in zip(errors, gaps, strict=True) if abs(g - MARGIN) < MARGIN]
    yield (
        f"{len(table.names)} configurations at T = {NUM_MEGABATCHES}, {table.num_seeds} seeds, "
        f"{table.num_examples:,} examples; dense: service {means[0, reference]:.2%}, final "
        f"{means[1, reference]:.2%}. Standard error of the differences to dense: largest "
        f"{max(errors):.2%}, within a point of the margin {max(near):.2%}. Past the margin: "
        f"{np.mean(np.array(gaps) >= MARGIN):.0%} of the pruned ones."
    )


def markdown(header: Sequence[str], lines: Iterator[list[str]]) -> Iterator[str]:
    """A table, line by line as it is made."""
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for line in lines:
        yield "| " + " | ".join(line) + " |"


def measure(*, full: bool) -> list[Figure]:
    """Error rate and power of the recommended design, for the suite."""
    table = read_table(TABLE)
    num_studies = 500 if full else 100
    figures = []
    for size in SIZES:
        made = simulate(table, DESIGNS[3], smallest_points, size=size, num_studies=num_studies)
        wrong = 100 * float(np.mean([o.is_false for o in made]))
        power = 100 * float(np.mean(found(made, 1 / 3) or [False]))
        figures += [
            Figure(SUITE, f"false claims, holdout of {size}", wrong, "% of studies", "≤ 5"),
            Figure(SUITE, f"a third of the weights found, holdout of {size}", power, "%"),
        ]
    return figures


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--table", type=Path, default=TABLE, help="a file, or a folder of parts")
    parser.add_argument("--studies", type=int, default=500, help="of each kind")
    parser.add_argument("--margin", type=float, default=MARGIN, help="as a fraction")
    given = parser.parse_args()
    table = read_table(given.table)
    sections: list[Iterator[str]] = [
        truth_lines(table),
        markdown(
            ("holdout", "judged by", "candidates", "false claims", "of those that claim",
             "claims", "found ≤ 1/3", "found ≤ 1/10", "bounds that hold"),
            rows(table, given.studies, given.margin),
        ),
        markdown(
            ("holdout", "judged by", "studies", "false, every candidate at the margin or past it"),
            past_margin_rows(table, given.studies),
        ),
        markdown(
            ("holdout", "seeds, median", "mean", "all 32", "further trials", "bounds that hold"),
            sequential_rows(table, given.studies),
        ),
    ]  # fmt: skip
    sys.stdout.write(
        f"Margin {given.margin:.1%}, level {LEVEL:.0%}; at {LOOKS} seeds "
        f"{', '.join(f'{level:.2%}' for level in look_levels())}.\n\n"
    )
    for section in sections:
        for line in section:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
