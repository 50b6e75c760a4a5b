"""``app-study plan``: what a study will cost."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console

from study.commands.options import Config, DataRoot, Set
from study.config.problems import in_file
from study.session.console import say
from study.text import duration
from study.workflow.addresses import with_data_root
from study.workflow.confirmation import decidable
from study.workflow.planning import planned

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig


def plan(
    config: Config,
    overrides: Set = [],  # noqa: B006  # Typer copies it
    data_root: DataRoot = None,
) -> None:
    """Estimate the cost of a study, by timing a few steps of each network on this machine."""
    from study.config.loading import load_study
    from study.operations.plan import plan_table
    from study.operations.planned_comparisons import undecidable

    with in_file(config):
        study = load_study(config, overrides=with_data_root(overrides, data_root))
        cost = planned(study)
    console = Console()
    console.print(plan_table(cost))
    confirming = f", up to {cost.num_confirming} confirm the best" if cost.num_confirming else ""
    say(
        console,
        f"\n{cost.num_known} trials are given, {cost.num_proposals} are proposed by the sampler"
        f"{confirming}"
        f"{_arms_line(cost.arms)}"
        f"\nexamples trained on or scored  {cost.total('samples'):,.0f}"
        f"\ntraining FLOPs                 {cost.total('flops'):.3g} ({_how_counted(study)})"
        f"\nestimated time                 {duration(3600 * cost.hours)}, "
        f"{cost.max_concurrent} trials at once on this machine",
    )
    for line in decidable(study, cost.num_holdout):
        say(console, line)
    if open_whatever_comes := undecidable(study):
        say(console, f"\n{open_whatever_comes}", wrap_words=True)


def _how_counted(study: "StudyConfig") -> str:
    from study.pruning.granularity.granularity import GRANULARITIES

    granularities = {trial.pruning.granularity for trial in study.corners()}
    if all(GRANULARITIES.get(name).keeps_shapes for name in granularities):
        return "counted dense"
    return "at most: counted dense, and channels that are cut off cost nothing any more"


def _arms_line(arms: Mapping[str, int]) -> str:
    each = ", ".join(f"{name} {number}" for name, number in arms.items())
    return f"\nof them for each arm           {each} (in turns)" if arms else ""
