"""``app-study replay``: searches simulated on recorded trials, without training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from study.commands.completion import complete_study
from study.commands.options import Set, Store
from study.session.console import say
from study.workflow.addresses import store_root

if TYPE_CHECKING:
    from study.simulation.table import Table


def replay(
    source: Annotated[
        str,
        typer.Argument(
            metavar="STUDY",
            help="Name of a study, or a table of one (.parquet).",
            show_default=False,
            autocompletion=complete_study,
        ),
    ],
    sampler: Annotated[str, typer.Option(help="search.sampler to try.")] = "tpe",
    stopping: Annotated[str, typer.Option(help="search.stopping.name to try.")] = "bound",
    seeds: Annotated[int, typer.Option(min=1, help="Searches, each with its own seed.")] = 20,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="A search's budget: examples of so many whole trials; else of all recorded.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Trials at once.")] = 1,
    overrides: Set = [],  # noqa: B006  # Typer copies it
    store: Store = None,
    export: Annotated[
        Path | None, typer.Option(help="Write the recorded trials to this table, and stop.")
    ] = None,
) -> None:
    """Simulate a sampler and early stopping on recorded trials: examples to one of the best."""
    from study.simulation.comparison import CONTROL, examples, find_target, search_to_target
    from study.simulation.rendering import comparison_table, curve_lines
    from study.simulation.table import write_table

    table = _table(source, overrides, store)
    console = Console()
    if export is not None:
        write_table(table, export)
        say(console, f"{len(table.rows)} trials written to {export}")
        return
    target = find_target(table, table.study)
    combined = {"sampler": sampler, "stopping": {"name": stopping}}
    searches = [
        CONTROL,
        {**CONTROL, "stopping": {"name": stopping}},
        {**CONTROL, "sampler": sampler},
        combined,
    ]
    distinct = [search for i, search in enumerate(searches) if search not in searches[:i]]
    budget = examples(table) * (trials / len(table.rows) if trials else 1)
    found = []
    with console.status("replaying"):
        for search in distinct:
            found.append(
                search_to_target(
                    table, target, search, num_seeds=seeds, budget=budget, num_workers=workers
                )
            )
    console.print(comparison_table(found, target, num_rows=len(table.rows)))
    for line in curve_lines(table, target.study, distinct[-1], budget=budget):
        say(console, line)


def _table(source: str, overrides: list[str], store: str | None) -> "Table":
    from study.config.loading import load_study, study_from_raw
    from study.config.plugins import load_builtin_plugins
    from study.simulation.table import read_table, table_of, under
    from study.store.folder import StudyStore
    from study.store.record import Record

    load_builtin_plugins()
    if source.endswith(".parquet"):
        table = read_table(Path(source))
    else:
        folder = StudyStore(store_root(None, store)).existing(source)
        study = load_study(folder.config_path)
        table = table_of(study, Record.read(folder.record_path).trials.values())
    return under(table, study_from_raw(table.study.to_dict(), overrides=overrides))
