"""The verdicts of a confirmation as a frame, for notebooks."""

from typing import TYPE_CHECKING

from analysis.comparison.confirmed_verdicts import FixedSequence, Judged, sequences
from analysis.comparison.fresh_seeds import confirmation
from analysis.runs.study_runs import Runs

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "trial",
    "method",
    "num_megabatches",
    "density",
    "verdict",
    "service_error_difference",
    "service_error_upper",
    "final_error_difference",
    "final_error_upper",
    "margin",
    "num_seeds",
    "num_examples",
    "is_smallest_as_good",
    "is_open",
)


def verdict_frame(runs: Runs) -> "pd.DataFrame":
    """One row a pruned configuration that was run again with fresh seeds and judged against dense.

    Args:
        runs: The study, or the one that confirms it.

    Returns:
        ``trial``: the search's number of it; ``method``; ``num_megabatches`` (T); ``density``: the
        mean over seeds, in (0, 1]; ``verdict``: ``better``, ``as_good``, ``worse`` or
        ``undecided``; ``…_difference`` from dense and its one-sided upper bound ``…_upper``, as
        fractions of examples; ``margin``: how much worse still counts as good; ``num_seeds``;
        ``num_examples`` of the holdout; ``is_smallest_as_good``: of its T; ``is_open``: more seeds
        may settle it. Largest density first in each T. Without rows where nothing was confirmed.
    """
    import pandas as pd

    confirming = runs.confirmation
    found = sequences(confirming, confirmation(confirming)) if confirming is not None else ()
    rows = [row for tested in found for one in tested.judged if (row := _row(tested, one))]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(tested: FixedSequence, one: Judged) -> tuple[object, ...] | None:
    judgement = one.judgement
    if judgement is None:
        return None
    level = judgement.level
    return (
        one.arm.number,
        one.arm.first["method"],
        tested.num_megabatches,
        one.density,
        judgement.verdict,
        judgement.service.estimate,
        judgement.service.upper(level),
        judgement.final.estimate,
        judgement.final.upper(level),
        judgement.margin,
        judgement.num_seeds,
        judgement.num_examples,
        one is tested.smallest,
        one.is_open,
    )
