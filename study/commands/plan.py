"""``app-study plan``: what a study will cost."""

import os

from rich.console import Console

from study.commands.options import Config, DataRoot, Set, with_data_root
from study.config.problems import in_file
from study.session.console import say


def plan(
    config: Config,
    overrides: Set = [],  # noqa: B006  # Typer copies it
    data_root: DataRoot = None,
) -> None:
    """Estimate the cost of a study, by timing a few steps of each network on this machine."""
    from study.config.loading import load_study
    from study.operations.plan import plan_study, plan_table
    from study.operations.planned_comparisons import undecidable

    cpus = os.cpu_count() or 1
    with in_file(config):
        study = load_study(config, overrides=with_data_root(overrides, data_root))
        capacity = max(1, cpus // study.resources.cpus_per_trial)
        cost = plan_study(
            study, max_concurrent=min(study.resources.max_concurrent or capacity, capacity)
        )
    console = Console()
    console.print(plan_table(cost))
    say(
        console,
        f"\n{cost.num_known} trials are given, {cost.num_proposals} are proposed by the sampler"
        f"\nexamples through SGD  {cost.total('samples'):,.0f}"
        f"\ntraining FLOPs        {cost.total('flops'):.3g} (counted dense)"
        f"\nestimated time        {cost.hours:.2g} hours, {cost.max_concurrent} trials at once on "
        f"this machine",
    )
    if open_whatever_comes := undecidable(study):
        say(console, f"\n{open_whatever_comes}", wrap_words=True)
