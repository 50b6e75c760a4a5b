"""The answer of a small study without search: the mean of each configuration."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.comparison.measure import Measure
from analysis.presentation.against_dense import share_kept, trial_name
from analysis.statistics import summary
from analysis.wording import bounds, label, percent

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

_MAX_GROUPS = 6


def mean_sentences(runs: "Runs", measure: Measure) -> list[str]:
    """A sentence on each configuration; none of a search, or of more than six.

    The best comes first; on the test split, where there is no best, the order is that of trials.
    """
    complete = runs.complete[runs.complete[measure.service].notna()]
    if runs.searched_for or complete.empty:
        return []
    groups = [group for _, group in complete.groupby(summary.configurations(complete))]
    if len(groups) > _MAX_GROUPS:
        return []
    if measure.may_select:
        groups.sort(key=lambda group: float(group[measure.service].mean()))
    sentences = []
    for group, what in zip(groups, _distinct_names(groups), strict=True):
        interval = summary.mean_interval(group[measure.service].tolist())
        within = f", 95 % interval {bounds(interval)}" if interval else ""
        seeds = f" (mean over {len(group)} seeds{within})" if len(group) > 1 else " (one seed)"
        sentences.append(
            f"{what}: {label(measure.service)} {percent(group[measure.service].mean())}{seeds}."
        )
    return sentences


def _distinct_names(groups: Sequence["pd.DataFrame"]) -> list[str]:
    """A name of each configuration; of those that would be called the same with what differs."""
    import pandas as pd

    has_architectures = (
        len({architecture for group in groups for architecture in group["architecture"]}) > 1
    )
    made = []
    for group in groups:
        first = group.iloc[0]
        model = f"{first['architecture']}: " if has_architectures else ""
        made.append(f"{model}{trial_name(first, seed=False)}, {share_kept(first)}")
    for name in {name for name in made if made.count(name) > 1}:
        alike = [place for place, other in enumerate(made) if other == name]
        differing = summary.varying(pd.concat([groups[place] for place in alike]))
        for place in alike:
            first = groups[place].iloc[0]
            made[place] += "".join(f", {param} = {first[param]}" for param in differing)
    return made
