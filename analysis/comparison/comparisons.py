"""Two methods against each other over configurations, and what several comparisons show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.comparison.by_example import ExampleBasis, ExampleValues, RunPair
from analysis.statistics.differences import MethodDifference
from analysis.statistics.multiple import Finding, judge_differences
from analysis.wording import label
from study.comparisons import budget_words
from study.metrics import METRICS

if TYPE_CHECKING:
    from analysis.comparison.dense_baseline import Row
    from analysis.runs.study_runs import StudyFacts


@dataclass(frozen=True)
class Comparison:
    """Method ``a`` against ``b`` in one or several configurations.

    Attributes:
        a: The one in front of the minus.
        b: The other.
        density: In words, where it is the same in all: of ``a`` if ``b`` is dense.
        architecture: Where all pairs have the same, else empty.
        num_megabatches: T, where all pairs have the same, else None.
        result: The differences a − b of a metric, by configuration.
        configurations: What each configuration is, beside the others; as many as there are.
        examples: How what the examples add is counted in.
        differing: The ``training.*`` settings in which the sides differ, in words.
        equal_budget: In what all pairs had an equal budget, where that is not both examples and
            FLOPs: ``equal FLOPs``.
    """

    a: str
    b: str
    density: str
    architecture: str
    num_megabatches: int | None
    result: MethodDifference
    configurations: tuple[str, ...] = ("",)
    examples: ExampleBasis = "unknown"
    differing: tuple[str, ...] = ()
    equal_budget: str = ""

    @property
    def each(self) -> tuple[float, ...]:
        """The mean difference in each configuration."""
        return self.result.means


def compare(
    rows: "Sequence[Row]", values: ExampleValues, varied: Sequence[str] = ()
) -> Comparison:
    """What pairs of two methods say.

    Args:
        rows: One a pair, at least one: ``a``, ``b``, ``difference``, ``setting`` and ``kept``
            (together the configuration), ``density`` in words, ``architecture``,
            ``num_megabatches``, ``settings`` (the values of ``varied``), ``run_a``, ``run_b``,
            ``data`` and ``equal`` (in what their budgets are).
        values: Of the examples.
        varied: Settings that the study varies apart from the method.
    """
    first = rows[0]

    def common(name: str) -> object:
        return first[name] if len({row[name] for row in rows}) == 1 else None

    strata: dict[tuple[int, float], list[Row]] = {}
    for row in rows:
        strata.setdefault((row["setting"], row["kept"]), []).append(row)
    ordered = [strata[place] for place in sorted(strata)]
    variance, basis = values.variance(
        [[RunPair(row["run_a"], row["run_b"], row["data"]) for row in own] for own in ordered]
    )
    t = first["num_megabatches"]
    has_one_t = t == t and common("num_megabatches") is not None
    return Comparison(
        a=str(first["a"]),
        b=str(first["b"]),
        density=str(common("density") or ""),
        architecture=str(common("architecture") or ""),
        num_megabatches=int(t) if has_one_t else None,
        result=MethodDifference(
            tuple(tuple(float(row["difference"]) for row in own) for own in ordered), variance
        ),
        configurations=_configuration_names([own[0] for own in ordered], varied),
        examples=basis,
        equal_budget=budget_of_all([row["equal"] for row in rows]),
    )


def budget_of_all(pairs: Sequence[frozenset[str]]) -> str:
    """What is said of pairs that are equal in this."""
    common = frozenset.intersection(*pairs)
    return budget_words(common) if common else "equal examples or FLOPs"


def _configuration_names(firsts: "Sequence[Row]", varied: Sequence[str]) -> tuple[str, ...]:
    """What tells configurations apart: ``T = 4, 10 % of the weights``."""
    columns = list(zip(*(row["settings"] for row in firsts), strict=True))
    apart = [i for i, column in enumerate(columns) if len(set(column)) > 1]
    has_sizes = len({row["density"] for row in firsts}) > 1
    made = []
    for row in firsts:
        words = [_setting(varied[i], row["settings"][i]) for i in apart]
        words += [f"{row['density']} of the weights"] if has_sizes else []
        made.append(", ".join(words))
    return tuple(made)


def _setting(name: str, value: str) -> str:
    return value if name == "model.architecture" else f"{label(name)} = {value}"


def margin_of(study: "StudyFacts", metric: str) -> float:
    """How much worse is still as good: the study's margin, of error rates and accuracies alone."""
    return study.margin if METRICS[metric].quantity in ("error", "accuracy") else 0.0


def judged(
    comparisons: Sequence[Comparison], study: "StudyFacts", metric: str
) -> list[tuple[Comparison, Finding]]:
    """Each comparison with what it shows, by Holm over all of them."""
    margin = margin_of(study, metric)
    findings, _ = judge_differences(
        [in_cost(c.result, metric) for c in comparisons], [margin] * len(comparisons)
    )
    return list(zip(comparisons, findings, strict=True))


def in_cost(difference: MethodDifference, metric: str) -> MethodDifference:
    """Such that lower is better."""
    return difference if METRICS[metric].is_minimized else difference.negated()
