"""Configurations across architectures: the best of each, ranks, and tables."""

from collections.abc import Sequence

from analysis.comparison.architectures import Configuration
from analysis.comparison.dense_baseline import DENSE
from analysis.presentation.report import Column, ReportTable, Value
from analysis.presentation.tables import listed_by, over_seeds, value_columns
from analysis.runs.frames import T
from analysis.wording import label, size
from study.metrics import METRICS


def _cost(configuration: Configuration, name: str, metric: str) -> float:
    """The mean, so that lower is better."""
    return METRICS[metric].cost(configuration.means[name])


def best_on(shared: Sequence[Configuration], name: str, metric: str) -> Configuration:
    """The best configuration on an architecture."""
    return min((c for c in shared if name in c.means), key=lambda c: _cost(c, name, metric))


def _ranks(shared: Sequence[Configuration], name: str, metric: str) -> list[float]:
    from scipy.stats import rankdata

    return [float(rank) for rank in rankdata([_cost(c, name, metric) for c in shared])]


def common_choice(
    shared: Sequence[Configuration], names: Sequence[str], metric: str
) -> Configuration | None:
    """Of the pruned configurations, the one with the best mean rank; None for fewer than two."""
    pruned = [c for c in shared if c.arm != DENSE]
    if len(pruned) < 2:
        return None
    columns = [_ranks(pruned, name, metric) for name in names]
    sums = [sum(ranks) for ranks in zip(*columns, strict=True)]
    return pruned[sums.index(min(sums))]


def configuration_name(c: Configuration) -> str:
    """``app, T = 8, 10 % of the weights``."""
    t = f", T = {c.num_megabatches}" if c.num_megabatches is not None else ""
    return f"{c.arm}{t}, {size(c.density)} of the weights"


def best_table(
    every: Sequence[Configuration],
    shared: Sequence[Configuration],
    names: Sequence[str],
    metric: str,
) -> ReportTable:
    """A row an architecture: its best configuration, and what the common choice gives."""
    value, interval = value_columns(metric)
    columns = (
        *listed_by("architecture"),
        Column("configurations", "configurations", "integer"),
        Column("arm", "best method"),
        *listed_by(T, "density", "seeds"),
        value,
        interval,
        Column("common", f"the one pruned choice for all: {label(metric)}", value.format),
    )
    common = common_choice(shared, names, metric)
    rows = []
    for name in names:
        leader = best_on(every, name, metric)
        trials = leader.trials[name]
        row: list[Value] = [name, sum(name in c.means for c in every), leader.arm]
        row += [leader.num_megabatches, float(trials["density"].iloc[0]), len(trials)]
        row += over_seeds(trials[metric].tolist(), metric)
        rows.append((*row, common.means[name] if common else None))
    return ReportTable("The best on each architecture", columns, tuple(rows))


def shared_table(
    shared: Sequence[Configuration], names: Sequence[str], metric: str
) -> ReportTable:
    """A row a configuration: its value and rank on each architecture."""
    kind = value_columns(metric)[0].format
    columns = listed_by("arm", T, "density")
    for name in names:
        columns.append(Column(f"{metric}.{name}", name, kind))
        columns.append(Column(f"rank.{name}", "rank", "number"))
    ranks = [_ranks(shared, name, metric) for name in names]
    rows = []
    for place, c in enumerate(shared):
        row: list[Value] = [c.arm, c.num_megabatches, c.density]
        for name, own in zip(names, ranks, strict=True):
            row += [c.means[name], own[place]]
        rows.append(tuple(row))
    title = f"The same configuration on each architecture: {label(metric)}"
    return ReportTable(title, tuple(columns), tuple(rows), folded=len(rows) > 12)
