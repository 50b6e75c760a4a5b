"""``app-study plan``: what a study will cost."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from study.commands.options import Config, DataRoot, Set
from study.config.problems import in_file
from study.session.console import say
from study.text import duration
from study.workflow.addresses import with_data_root
from study.workflow.confirmation import decidable
from study.workflow.planning import planned

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig
    from study.operations.plan import StudyPlan, TrialCost


_EXTRAPOLATED = (
    "≈ is extrapolated by FLOPs: whole mini-batches of these networks take longer than the few "
    "seconds that a plan may take, so fewer images were timed, or a smaller network"
)


def plan(
    config: Config,
    overrides: Set = [],  # noqa: B006  # Typer copies it
    data_root: DataRoot = None,
) -> None:
    """Estimate the cost of a study, by timing a few steps of each network on this machine.

    What takes longer than seconds to time is extrapolated by FLOPs, and marked ≈.
    """
    from study.config.loading import load_study
    from study.operations.planned_comparisons import undecidable

    with in_file(config):
        study = load_study(config, overrides=with_data_root(overrides, data_root))
        with Console(stderr=True).status("reading the data") as status:
            cost = planned(study, show=status.update)
    console = Console()
    console.print(_table(cost))
    confirming = f", up to {cost.num_confirming} confirm the best" if cost.num_confirming else ""
    say(
        console,
        f"\n{cost.num_known} trials are given, {cost.num_proposals} are proposed by the sampler"
        f"{confirming}"
        f"{_arms_line(cost.arms)}"
        f"\nexamples trained on or scored  {cost.total('samples'):,.0f}"
        f"\ntraining FLOPs                 {cost.total('flops'):.3g} ({_how_counted(study)})"
        f"\nestimated time                 {'' if cost.is_timed else '≈ '}"
        f"{duration(3600 * cost.hours)}, {cost.max_concurrent} trials at once on this machine",
    )
    if not cost.is_timed:
        say(console, _EXTRAPOLATED, wrap_words=True)
    for line in decidable(study, cost.num_holdout):
        say(console, line)
    if open_whatever_comes := undecidable(study):
        say(console, f"\n{open_whatever_comes}", wrap_words=True)


def _table(cost: "StudyPlan") -> Table:
    """A line for each architecture and stream length, for people."""
    table = Table(box=None)
    for title in ("architecture", "megabatches"):
        table.add_column(title)
    for title in ("trials", "parameters", "prunable", "examples", "train FLOPs", "minutes"):
        table.add_column(title, justify="right")
    groups: dict[tuple[str, int], list[TrialCost]] = {}
    for each in cost.costs[: cost.num_known] or cost.costs:
        groups.setdefault((each.architecture, each.num_megabatches), []).append(each)
    for (architecture, num_megabatches), costs in groups.items():
        count = len(costs)
        table.add_row(
            architecture,
            str(num_megabatches),
            str(count),
            f"{costs[0].num_parameters:,}",
            f"{costs[0].num_prunable:,}",
            f"{sum(c.samples for c in costs) / count:,.0f}",
            f"{sum(c.flops for c in costs) / count:.3g}",
            f"{'' if all(c.is_timed for c in costs) else '≈ '}"
            f"{sum(c.seconds for c in costs) / count / 60:.1f}",
        )
    return table


def _how_counted(study: "StudyConfig") -> str:
    from study.pruning.granularity.granularity import GRANULARITIES

    granularities = {trial.pruning.granularity for trial in study.corners()}
    if all(GRANULARITIES.get(name).keeps_shapes for name in granularities):
        return "counted dense"
    return "at most: counted dense, and channels that are cut off cost nothing any more"


def _arms_line(arms: Mapping[str, int]) -> str:
    each = ", ".join(f"{name} {number}" for name, number in arms.items())
    return f"\nof them for each arm           {each} (in turns)" if arms else ""
