"""What is said where results are on the test split alone."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs


def no_choice_sentence(runs: "Runs") -> str:
    """That nothing is chosen on the test split, and what to do."""
    name = "STUDY" if runs.parts else runs.study.name
    return (
        f"Results are on the test split, so nothing is chosen on it: no network or setting is "
        f"named the best. Comparisons that were planned are made (app-report methods {name}, "
        f"claims). To have one chosen, keep examples for it: data.holdout_fraction above 0, for "
        f"example 0.2."
    )
