"""Tables of a search: how trials ended, and fronts through time."""

from typing import TYPE_CHECKING

from analysis.comparison.measure import Measure
from analysis.presentation.report import Column, ReportTable
from analysis.presentation.tables import cell
from analysis.reports.search.progress import MOMENTS, front, in_service
from analysis.runs.frames import KEY
from analysis.wording import label

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs


def endings_table(runs: "Runs") -> ReportTable:
    """How trials ended, and what those that ended so have cost."""
    trials = runs.trials
    reached = runs.megabatches.groupby(KEY)["stream_fraction"].max()
    total = trials["samples_seen"].sum()
    rows = []
    for outcome, group in trials.groupby("outcome", sort=True):
        examples = group["samples_seen"].sum()
        came = reached.reindex(group[KEY]).fillna(0.0).mean()
        rows.append(
            (
                str(outcome).replace("_", " "),
                len(group),
                cell(came),
                float(examples),
                float(examples / total) if total else None,
            )
        )
    columns = (
        Column("outcome", "ended"),
        Column("trials", "trials", "integer"),
        Column("stream_fraction", "of the stream, on average", "percent"),
        Column("samples_seen", label("samples_seen"), "integer"),
        Column("share", "of all examples", "percent"),
    )
    return ReportTable("How trials ended", columns, tuple(rows))


def moments_table(runs: "Runs", measure: Measure) -> ReportTable:
    """The models in service as the stream went on, and the best of them."""
    columns = (
        Column("moment", "of the stream", "percent"),
        Column("models", "models in service", "integer"),
        Column("on_front", "on the front", "integer"),
        Column("error", "lowest error rate", "percent"),
        Column("error_number", "its trial", "integer"),
        Column("weights", "fewest weights", "number"),
        Column("weights_number", "its trial", "integer"),
        Column("flops", "fewest FLOPs of an image", "number"),
    )
    rows = []
    for moment in MOMENTS:
        models = in_service(runs, measure.curve, moment)
        if models.empty:
            continue
        has_flops = bool(models["forward_flops_sparse"].notna().all())
        judged = ["error", "weights", *(["forward_flops_sparse"] if has_flops else [])]
        best, lightest = _first(models, "error"), _first(models, "weights")
        rows.append(
            (
                moment,
                len(models),
                len(front(models, judged)),
                cell(best["error"]),
                cell(best["number"]),
                cell(lightest["weights"]),
                cell(lightest["number"]),
                cell(models["forward_flops_sparse"].min()),
            )
        )
    return ReportTable("Fronts through time: error, weights, FLOPs", columns, tuple(rows))


def _first(models: "pd.DataFrame", name: str) -> "pd.Series":
    return models.sort_values([name, "number"], kind="stable").iloc[0]
