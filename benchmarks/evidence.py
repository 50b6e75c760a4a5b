"""How often verdicts are false, and how often they find what is there: studies drawn from a table.

    python -m benchmarks.evidence [--table FILE] [--studies 500] [--margin 0.01] [--resamples 40]

draws studies from the recorded table (``benchmarks.evidence_table``): a random search under one
seed on a holdout of so many examples, its candidates for "the smallest as good as dense", and
their confirmation. What is true is the mean over all seeds on all examples that are not in the
holdout. Rates are shares of all studies.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.statistics.decidable import LEVEL, MARGIN
from analysis.statistics.mean_difference import mean_difference
from analysis.statistics.sequential import LOOKS, look_levels
from benchmarks.evidence_designs import (
    DESIGNS,
    Outcome,
    old_rule,
    simulate,
    simulate_past_margin,
)
from benchmarks.evidence_methods import DESIGNS as METHOD_DESIGNS
from benchmarks.evidence_methods import method_studies
from benchmarks.evidence_studies import (
    CHOICES,
    NUM_MEGABATCHES,
    EvidenceTable,
    read_rows,
    read_table,
    spread_points,
    table_of,
)
from benchmarks.table import Figure
from study.metrics import wilson_interval

SUITE = "evidence"
TABLE = Path(__file__).parent / "tables" / "evidence.parquet"
SIZES = (72, 144, 360, 1000)
RESAMPLED_STUDIES = 300  # of each resampled table
COMPARED = DESIGNS[3]  # under which all ways to choose candidates are compared


def sizes(table: EvidenceTable) -> list[int]:
    """Of holdouts that leave at least half of a table's examples to say what is true."""
    return [size for size in SIZES if 2 * size <= table.num_examples]


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
    """A line a holdout size, design and choice of candidates; all choices for one design."""
    for size in sizes(table):
        for design in DESIGNS:
            for name, choice in CHOICES.items():
                if choice is not spread_points and design is not COMPARED:
                    continue
                made = simulate(
                    table, design, choice, size=size, num_studies=num_studies, margin=margin
                )
                claims = [o.is_false for o in made if o.named is not None]
                held, asked = np.sum([o.covered for o in made], axis=0)
                yield [
                    str(size),
                    design.name,
                    "all" if design.way is old_rule else name,
                    share([o.is_false for o in made]),
                    f"{sum(claims)} of {len(claims)}",
                    share(found(made, 1 / 3)),
                    share(found(made, 0.1)),
                    f"{held / asked:.1%}" if asked else "–",
                    f"{np.median([o.seeds for o in made]):.0f}",
                    f"{np.mean([o.trials for o in made]):.0f}",
                ]


def past_margin_rows(table: EvidenceTable, num_studies: int) -> Iterator[list[str]]:
    """A line a holdout size and design: every claim of *as good* is false."""
    for size in sizes(table):
        for design in DESIGNS:
            made = simulate_past_margin(
                table, design, spread_points, size=size, num_studies=num_studies
            )
            yield [str(size), design.name, str(len(made)), share([o.is_false for o in made])]


def resampled_rows(
    table: EvidenceTable, num_tables: int, holdouts: Sequence[int]
) -> Iterator[list[str]]:
    """The worst case over tables drawn anew from this one, so that its rows and seeds count too.

    A line a holdout size and design that is used: mean and central 95 % of the tables' rates,
    and the 95 % of tables without the chance of so many studies of each (the mean and 1.96
    standard deviations between tables, by the method of moments).
    """
    for size in holdouts:
        for design in (COMPARED, DESIGNS[-1]):
            rates = []
            for number in range(num_tables):
                drawn = table.resampled(np.random.default_rng([size, number]))
                made = simulate_past_margin(
                    drawn, design, spread_points, size=size, num_studies=RESAMPLED_STUDIES
                )
                rates.append(float(np.mean([o.is_false for o in made])))
            low, high = np.percentile(rates, [2.5, 97.5])
            mean = float(np.mean(rates))
            of_studies = np.mean([r * (1 - r) / RESAMPLED_STUDIES for r in rates])
            half = 1.96 * max(0.0, float(np.var(rates, ddof=1) - of_studies)) ** 0.5
            yield [
                str(size),
                design.name,
                f"{mean:.1%} [{low:.1%}, {high:.1%}]",
                f"[{max(0.0, mean - half):.1%}, {mean + half:.1%}]",
            ]


def method_rows(table: EvidenceTable, num_studies: int, margin: float) -> Iterator[list[str]]:
    """A line a holdout size and design of a comparison of schedules."""
    for size in sizes(table):
        for design in METHOD_DESIGNS:
            made = method_studies(
                table, size=size, design=design, num_studies=num_studies, margin=margin
            )
            yield [
                str(size),
                f"{design[0]} × {design[1]}",
                share([s.says_false for s in made]),
                share([s.says_false_of_none for s in made]),
                share([s.says_false_at_margin for s in made]),
                f"{np.mean([s.decided for s in made]):.0%}",
                f"{np.mean([s.covered for s in made]):.1%}",
            ]


def truth_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How well the truth is known, and how many configurations lie near the margin.

    Each configuration has all the seeds that it shares with dense.
    """
    table = table_of(rows)
    everything = np.arange(table.num_examples)
    means = table.sums.mean(axis=2) / table.num_examples
    reference = int(table.dense[np.argmin(means[0, table.dense])])
    numbers = sorted({row["configuration"] for row in rows})
    errors, gaps = [], []
    for configuration in table.pruned:
        pair = table_of(rows, {numbers[reference], numbers[configuration]})
        order = (1, 0) if reference < configuration else (0, 1)
        a, b = (pair.losses(c, np.arange(pair.num_seeds), everything) for c in order)
        both = [mean_difference(a.service - b.service), mean_difference(a.final - b.final)]
        errors.append(max(d.variance**0.5 for d in both))
        gaps.append(max(d.estimate for d in both))
    near = [e for e, g in zip(errors, gaps, strict=True) if abs(g - MARGIN) < MARGIN]
    yield (
        f"{len(table.settings)} configurations at T = {NUM_MEGABATCHES}, {table.num_seeds} seeds, "
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
        made = simulate(table, COMPARED, spread_points, size=size, num_studies=num_studies)
        wrong = 100 * float(np.mean([o.is_false for o in made]))
        power = 100 * float(np.mean(found(made, 1 / 3) or [False]))
        figures += [
            Figure(SUITE, f"false claims, holdout of {size}", wrong, "% of studies", "≤ 5"),
            Figure(SUITE, f"a third of the weights found, holdout of {size}", power, "%"),
        ]
        studies = method_studies(table, size=size, design=(1, 10), num_studies=num_studies)
        false = 100 * float(np.mean([s.says_false_of_none for s in studies]))
        figures.append(
            Figure(
                SUITE, f"false of equal methods, holdout of {size}", false, "% of studies", "≤ 5"
            )
        )
    return figures


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--table", type=Path, default=TABLE, help="a file, or a folder of parts")
    parser.add_argument("--studies", type=int, default=500, help="of each kind")
    parser.add_argument("--margin", type=float, default=MARGIN, help="as a fraction")
    parser.add_argument(
        "--resamples", type=int, default=0, help="only the worst case, on so many drawn tables"
    )
    parser.add_argument("--sizes", type=int, nargs="*", help="of holdouts, for --resamples")
    given = parser.parse_args()
    rows_read = read_rows(given.table)
    table = table_of(rows_read)
    if given.resamples:
        header = (
            "holdout",
            "judged by",
            "false, every candidate at the margin or past it",
            "of tables alone",
        )
        drawn = resampled_rows(table, given.resamples, given.sizes or sizes(table))
        for line in markdown(header, drawn):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        return
    sections: list[Iterator[str]] = [
        truth_lines(rows_read),
        markdown(
            ("holdout", "judged by", "candidates", "false claims", "of those that claim",
             "found ≤ 1/3", "found ≤ 1/10", "bounds that hold", "seeds", "further trials"),
            rows(table, given.studies, given.margin),
        ),
        markdown(
            ("holdout", "judged by", "studies", "false, every candidate at the margin or past it"),
            past_margin_rows(table, given.studies),
        ),
        markdown(
            ("holdout", "configurations × seeds", "anything false of any two schedules",
             "where none differ", "where all differ by the margin", "decided",
             "intervals that hold"),
            method_rows(table, given.studies, given.margin),
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
