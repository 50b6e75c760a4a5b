"""The values of one setting against each other, all else equal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.comparison.comparisons import Comparison, judged
from analysis.comparison.setting_pairs import SettingPairs, changed_with, setting_pairs
from analysis.presentation.against_dense import unfinished
from analysis.presentation.forest_plot import forest_plot
from analysis.presentation.method_differences import (
    Standard,
    comparison_sentence,
    differences_table,
    examples_sentence,
    with_sign,
)
from analysis.presentation.report import ReportSection
from analysis.statistics.multiple import holm
from analysis.wording import label, listing, probability
from study.comparisons import SIGNIFICANCE
from study.text import count

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs

_MAX_SENTENCES = 12


def setting_section(runs: "Runs", path: str, metric: str) -> ReportSection:
    """Each two values under each method, and whether what they change depends on the method.

    Args:
        runs: The study.
        path: Dotted path of the setting.
        metric: What is compared.

    Raises:
        ReportError: The study does not vary it.
    """
    found = setting_pairs(runs, path, metric)
    title = f"Which {listing(path.split(','))}, and is the difference real?"
    each = judged(found.in_each_method(), runs.study, metric)
    if not each:
        return ReportSection(
            title,
            (
                f"No two values of {path} can be compared: that takes two trials with at least "
                f"two seeds in common, and all else equal.",
                *_changed_together(runs, path),
                *_unequal(found),
                *unfinished(runs),
            ),
        )
    standard = Standard.of(runs.study, metric, len(each))
    said = [comparison_sentence(c, finding, standard) for c, finding in each[:_MAX_SENTENCES]]
    if len(each) > len(said):
        said.append(f"{count(len(each) - len(said), 'more comparison')} in the table.")
    return ReportSection(
        title,
        (
            *said,
            *_dependences(found.over_methods(), metric),
            *examples_sentence([c for c, _ in each], metric),
            *_unequal(found),
            *unfinished(runs),
        ),
        figures=(forest_plot("settings", [c for c, _ in each], [], metric),),
        tables=(differences_table("Differences", each, metric),),
    )


def _changed_together(runs: "Runs", path: str) -> list[str]:
    """What changes wherever the setting does, and how both are compared."""
    found = () if "," in path else changed_with(runs.trials, path)
    if not found:
        return []
    change = "changes" if len(found) == 1 else "change"
    return [
        f"Wherever {path} changes, {listing(list(found))} {change} too: "
        f"--compare {','.join((path, *found))} compares them together."
    ]


def _dependences(comparisons: Sequence[Comparison], metric: str) -> list[str]:
    """Whether what a value changes depends on what is pruned, and by how much."""
    several = [c for c in comparisons if c.result.interaction_p is not None]
    adjusted = holm([c.result.interaction_p or 0.0 for c in several])
    by_holm = f" by Holm over {len(several)}" if len(several) > 1 else ""
    made = []
    for c, p in zip(several, adjusted, strict=True):
        places = [
            f"{place.partition(' = ')[2] or place} {with_sign(mean, metric)}"
            for place, mean in zip(c.configurations, c.each, strict=True)
        ]
        how = (
            "depends on what is pruned"
            if p < SIGNIFICANCE
            else "is not shown to depend on what is pruned"
        )
        made.append(
            f"What {c.a} changes of the {label(metric)} against {c.b} {how} "
            f"({probability(p)}{by_holm}): {listing(places)}."
        )
    return made


def _unequal(found: SettingPairs) -> list[str]:
    if not found.num_unequal:
        return []
    return [
        f"{count(found.num_unequal, 'pair')} of trials had neither equal examples nor equal "
        f"FLOPs, and {'is' if found.num_unequal == 1 else 'are'} left out."
    ]
