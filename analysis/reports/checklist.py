"""What a paper on pruning must report, ticked or open for this study.

The list is that of Blalock et al., "What is the State of Neural Network Pruning?" (2020,
arXiv 2003.03033), section 6 and appendix B, with what a search adds to it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from analysis.comparison.dense_baseline import DENSE
from analysis.comparison.fresh_seeds import confirming
from analysis.comparison.matches import matches
from analysis.comparison.measure import measure_of
from analysis.presentation.report import REPORTS, Column, Report, ReportSection, ReportTable
from analysis.statistics import summary
from analysis.wording import listing, size
from study.metrics import METRICS
from study.text import count

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

TITLE = "Could this be published?"
_MIN_PAIRS = 3
_MIN_DENSITIES = 5
_MIN_SEEDS = 3

Item = tuple[str, bool, str]


@REPORTS.register("checklist")
@dataclass(frozen=True)
class ChecklistReport(Report):
    """What a paper on pruning must report, ticked or open for this study, with the reason."""

    position: ClassVar[int] = 74

    def build(self, runs: "Runs") -> ReportSection:
        """One table, and how many items are open."""
        made = [make(runs) for make in _ITEMS]
        still = [item for item, done, _ in made if not done]
        sentence = (
            f"{len(made) - len(still)} of {len(made)} items are met; open: {listing(still)}."
            if still
            else f"All of {count(len(made), 'item')} are met."
        )
        columns = (
            Column("item", "a paper on pruning reports"),
            Column("met", "here"),
            Column("reason", "because"),
        )
        rows = tuple((item, "met" if done else "open", why) for item, done, why in made)
        return ReportSection(TITLE, (sentence,), tables=(ReportTable("Checklist", columns, rows),))


def _pruned(runs: "Runs") -> "pd.DataFrame":
    return runs.complete[runs.complete["method"] != DENSE]


def _settings(runs: "Runs") -> Item:
    pairs = sorted(set(zip(_pruned(runs)["dataset"], _pruned(runs)["architecture"], strict=True)))
    named = listing([f"{data} with {model}" for data, model in pairs]) or "none has finished"
    item = f"at least {_MIN_PAIRS} pairs of data set and network"
    return item, len(pairs) >= _MIN_PAIRS, f"{len(pairs)}: {named}"


def _densities(runs: "Runs") -> Item:
    pruned = _pruned(runs)
    numbers = {
        f"{data} with {model}": group["density"].dropna().map(lambda d: f"{d:.2g}").nunique()
        for (data, model), group in pruned.groupby(["dataset", "architecture"])
    }
    why = (
        listing([f"{number} ({name})" for name, number in numbers.items()]) or "none has finished"
    )
    met = bool(numbers) and min(numbers.values()) >= _MIN_DENSITIES
    return f"at least {_MIN_DENSITIES} densities on each", met, why


def _savings(runs: "Runs") -> Item:
    pruned = _pruned(runs)
    ratios, missing = [], []
    for words, dense, sparse in (
        ("compression", "model_bytes", "sparse_bytes"),
        ("theoretical speed-up", "forward_flops", "forward_flops_sparse"),
    ):
        ratio = (pruned[dense] / pruned[sparse].where(pruned[sparse] > 0)).dropna()
        if ratio.empty:
            missing.append(words)
        else:
            ratios.append(f"{words} of ×{ratio.min():.3g} to ×{ratio.max():.3g}")
    if missing:
        ratios.append(f"not recorded: {listing(missing)}")
    return "both compression and theoretical speed-up", not missing, "; ".join(ratios)


def _baseline(runs: "Runs") -> Item:
    pruned, found = _pruned(runs), matches(runs, measure_of(runs))
    why = f"{len(found)} of {count(len(pruned), 'finished pruned trial')} have one"
    item = "a dense baseline of the same network, data, T and number of examples"
    return item, len(pruned) > 0 and len(found) == len(pruned), why


def _controls(runs: "Runs") -> Item:
    pruned = _pruned(runs)
    used = [
        f"{name} = {value}"
        for name, values in (
            ("pruning.criterion", ("random", "magnitude")),
            ("pruning.control", ("shuffle_within_layers", "reinitialised_scores")),
        )
        for value in values
        if name in pruned and (pruned[name].map(str) == value).any()
    ]
    item = "a control: random or magnitude scores, or scores shuffled within layers"
    return item, bool(used), listing(used) or "none has finished"


def _budget(runs: "Runs") -> Item:
    """Of each method how many configurations were tried, however they ended."""
    tried = runs.trials.assign(_c=summary.configurations(runs.trials))
    numbers = tried.groupby("method")["_c"].nunique()
    why = (
        listing([f"{number} of {method}" for method, number in numbers.items()]) or "no trial yet"
    )
    met = len(numbers) > 1 and numbers.min() == numbers.max()
    return "the same number of configurations tried for every method", met, why


def _repeats(runs: "Runs") -> Item:
    complete = runs.complete
    item = f"at least {_MIN_SEEDS} seeds of every configuration that is compared"
    if complete.empty:
        return item, False, "no trial has finished"
    sizes = complete.groupby(summary.configurations(complete)).size()
    enough = int((sizes >= _MIN_SEEDS).sum())
    why = f"{enough} of {count(len(sizes), 'configuration')} have {_MIN_SEEDS} or more"
    return item, enough == len(sizes), why


def _apart(runs: "Runs") -> Item:
    """Whether what is reported was run with other seeds than what was selected by."""
    item = "seeds of the search and of the final test apart"
    parts = list({p.study.name: p for p in (*(runs.parts or (runs,)), *confirming(runs))}.values())
    searched = [part for part in parts if part.study.objectives]
    if not searched and runs.study.confirms:
        return item, True, f"run with seeds that the search {runs.study.confirms} had not used"
    if not searched:
        return item, True, "nothing was selected: no study here is a search"
    selected = {str(seed) for part in searched for seed in part.trials["seed"].dropna()}
    tested = {
        str(seed)
        for part in parts
        if not part.study.objectives
        for seed in part.complete["seed"].dropna()
    }
    if not tested:
        why = "the best of the search were not confirmed with other seeds (app-study confirm)"
        return item, False, why
    shared = sorted(selected & tested)
    if shared:
        return item, False, f"both used seed {listing(shared)}"
    return item, True, f"searched with {listing(sorted(selected))}, tested with others"


def _untouched(runs: "Runs") -> Item:
    item = "nothing selected on the test split"
    used = sorted(n for n in runs.searched_for if n in METRICS and METRICS[n].is_test)
    return (
        item,
        not used,
        f"objective: {listing(used)}" if used else "no objective is measured on it",
    )


def _exact(runs: "Runs") -> Item:
    """Whether methods are compared at the density that was measured, not the one asked for."""
    item = "the density measured, not only the one asked for"
    pruned = _pruned(runs)
    measured = pruned["density"].dropna()
    if measured.empty:
        return item, False, "none has finished"
    why = f"measured after every pruning event; {size(measured.min())} to {size(measured.max())}"
    return item, len(measured) == len(pruned), why


_ITEMS: tuple[Callable[["Runs"], Item], ...] = (
    _settings,
    _densities,
    _savings,
    _exact,
    _baseline,
    _controls,
    _budget,
    _repeats,
    _apart,
    _untouched,
)
