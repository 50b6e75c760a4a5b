"""Comparisons of methods as sentences and tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.comparison.comparisons import Comparison, margin_of
from analysis.presentation.report import Column, ReportTable, Value
from analysis.presentation.tables import span
from analysis.runs.study_runs import StudyFacts
from analysis.statistics.multiple import Finding
from analysis.statistics.summary import Interval
from analysis.wording import bounds, label, listing, margin_words, points, probability
from study.comparisons import SIGNIFICANCE, pairs_needed
from study.metrics import METRICS
from study.text import count

_MAX_PLACES = 6

VERDICTS = {
    "better": "better",
    "as_good": "as good",
    "worse": "worse",
    "undecided": "undecided",
    "not_pooled": "differs in sign",
}


@dataclass(frozen=True)
class Standard:
    """By what comparisons are judged together.

    Attributes:
        metric: What is compared.
        margin: How much worse is still as good; 0 where the metric is no error.
        family: How many comparisons share the 5 %.
    """

    metric: str
    margin: float
    family: int

    @classmethod
    def of(cls, study: StudyFacts, metric: str, family: int) -> "Standard":
        """That of a study's own margin."""
        return cls(metric, margin_of(study, metric), family)


def comparison_sentence(comparison: Comparison, finding: Finding, standard: Standard) -> str:
    """One comparison in a sentence, with what it rests on and what stays open."""
    metric = standard.metric
    if finding.verdict == "not_pooled":
        return _one_by_one(comparison, metric)
    where = (
        f" at {comparison.density} of the weights" if comparison.density else " at equal density"
    ) + (f" and {comparison.equal_budget}" if comparison.equal_budget else "")
    margin = margin_words(standard.margin) if standard.margin else ""
    a, b = comparison.a, comparison.b
    opening = {
        "better": f"{a} is better than {b}{where}",
        "as_good": f"{a} is as good as {b}{where}, at a margin of {margin}",
        "worse": f"{a} is worse than {b}{where}" + (f", by more than {margin}" if margin else ""),
        "undecided": f"Undecided: {a} against {b}{where}",
    }[finding.verdict]
    p = f"{probability(finding.p)}{_by_holm(standard.family)}"
    return (
        f"{opening}: {_numbers(comparison, metric)}, {_basis(comparison)}, {p}"
        f"{_open(comparison, finding, standard)}.{_trained_apart(comparison)}"
        f"{_range(comparison, metric)}"
    )


def _numbers(comparison: Comparison, metric: str) -> str:
    result = comparison.result
    return f"{label(metric)} {with_sign(result.estimate, metric, result.interval())}"


def _basis(comparison: Comparison) -> str:
    result = comparison.result
    way = "lower" if result.estimate < 0 else "higher"
    share = result.share_lower if result.estimate < 0 else 1 - result.share_lower
    pairs = f"{way} in {100 * share:.0f} % of {count(result.num_pairs, 'pair')} of one seed"
    over = f" in {len(result.strata)} configurations" if len(result.strata) > 1 else ""
    return pairs + over


def _by_holm(family: int) -> str:
    return f" by Holm over {family} comparisons" if family > 1 else ""


def _open(comparison: Comparison, finding: Finding, standard: Standard) -> str:
    """Why it is undecided, where that is known."""
    result = comparison.result
    if finding.verdict != "undecided":
        return ""
    if result.num_pairs < (needed := pairs_needed(standard.family)):
        return (
            f"; {count(result.num_pairs, 'pair')} cannot decide "
            f"{count(standard.family, 'comparison')}: {needed} would"
        )
    if result.interval() is None:
        return "; the pairs do not vary, which bounds nothing"
    if finding.shown == "higher":
        return f"; it is worse, but by more than {margin_words(standard.margin)} is not shown"
    return ""


def _trained_apart(comparison: Comparison) -> str:
    if not comparison.differing:
        return ""
    return f" They were trained apart: {listing(list(comparison.differing))}."


def _one_by_one(comparison: Comparison, metric: str) -> str:
    """Configurations that truly differ in sign: each by itself, the largest differences first."""
    result = comparison.result
    assert result.crossing_p is not None
    each = sorted(
        zip(comparison.configurations, result.means, result.strata, strict=True),
        key=lambda e: -abs(e[1]),
    )
    parts = [
        f"{place or 'one'} {with_sign(mean, metric)} ({count(len(pairs), 'pair')})"
        for place, mean, pairs in each[:_MAX_PLACES]
    ]
    more = f" and {len(each) - _MAX_PLACES} more in the table" if len(each) > _MAX_PLACES else ""
    return (
        f"{comparison.a} against {comparison.b}: which one has the lower {label(metric)} depends "
        f"on the configuration ({probability(result.crossing_p)}), so they are not pooled: "
        f"{'; '.join(parts)}{more}.{_trained_apart(comparison)}"
    )


def _range(comparison: Comparison, metric: str) -> str:
    """How far the configurations lie apart, and whether that is more than chance."""
    each = comparison.each
    if len(each) < 2:
        return ""
    p = comparison.result.interaction_p
    depends = (
        f" The difference depends on the configuration ({probability(p)})."
        if p is not None and p < SIGNIFICANCE
        else ""
    )
    return (
        f" In single configurations it ranges from {with_sign(min(each), metric)} to "
        f"{with_sign(max(each), metric)}.{depends}"
    )


def with_sign(value: float, metric: str, interval: Interval | None = None) -> str:
    """``+1.2 points``, with the interval behind it where there is one."""
    sign = "−" if value < 0 else "+"
    number = sign + (points(value) if METRICS[metric].is_fraction else f"{abs(value):.3g}")
    if interval is None:
        return number
    plain = f"[{interval.low:.3g}, {interval.high:.3g}]"
    return f"{number} {bounds(interval) if METRICS[metric].is_fraction else plain}"


def examples_sentence(comparisons: Sequence[Comparison], metric: str) -> list[str]:
    """Whether what another draw of examples would change is counted in; nothing where it is."""
    is_of_examples = METRICS[metric].quantity in ("error", "accuracy")
    alone = sum(c.examples == "unknown" for c in comparisons)
    if not alone or not is_of_examples:
        return []
    which = "" if alone == len(comparisons) else f" in {alone} of {len(comparisons)} comparisons"
    return [
        f"Outcomes by example are not recorded{which}: such intervals and verdicts are of these "
        f"very examples, and say nothing of others."
    ]


def differences_table(
    title: str,
    comparisons: Sequence[tuple[Comparison, Finding | None]],
    metric: str,
    *,
    limit: int | None = None,
) -> ReportTable:
    """A row a comparison, the first ``limit`` of them; without a finding it is not judged."""
    if limit is not None and len(comparisons) > limit:
        title += f", the first {limit} of {len(comparisons):,}"
    is_fraction = METRICS[metric].is_fraction
    unit = " (points)" if is_fraction else ""
    columns = [Column("a", "method"), Column("b", "against"), Column("density", "weights kept")]
    is_split = any(c.architecture or c.num_megabatches for c, _ in comparisons)
    if is_split:
        columns += [Column("architecture", "architecture")]
        columns += [Column("stream.num_megabatches", "T", "integer")]
    columns += [
        Column("pairs", "pairs", "integer"),
        Column("configurations", "in", "integer"),
        Column("difference", f"difference{unit}", "points" if is_fraction else "number"),
        Column("interval", "95 % interval", "interval" if is_fraction else "range"),
        Column("lower", "lower in", "percent"),
        Column("p", "p", "number"),
    ]
    is_judged = any(finding is not None for _, finding in comparisons)
    if is_judged:
        columns += [
            Column("p_holm", "Holm's p", "number"),
            Column("interaction_p", "p that it depends on the configuration", "number"),
            Column("verdict", "verdict"),
        ]
    apart = any(c.differing for c, _ in comparisons)
    columns += [Column("trained_apart", "trained apart")] if apart else []
    rows = []
    for c, finding in comparisons[:limit]:
        row: list[Value] = [c.a, c.b, c.density or "equal"]
        if is_split:
            row += [c.architecture or "several", c.num_megabatches]
        row += [c.result.num_pairs, len(c.result.strata), c.result.estimate]
        row += [span(c.result.interval()), c.result.share_lower, c.result.p]
        if is_judged:
            verdict = VERDICTS[finding.verdict] if finding else None
            row += [finding.p if finding else None, c.result.interaction_p, verdict]
        row += [", ".join(c.differing) or None] if apart else []
        rows.append(tuple(row))
    return ReportTable(title, tuple(columns), tuple(rows))
