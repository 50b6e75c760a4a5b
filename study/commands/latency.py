"""``app-study latency``: networks timed on this machine, beside what their study had found."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from study.commands.completion import complete_study
from study.commands.options import DataRoot, Store
from study.config.problems import in_file
from study.errors import StudyError
from study.metrics import speedup_names
from study.session.console import say
from study.text import printable

if TYPE_CHECKING:
    from study.measurement.here import LatencyHere
    from study.measurement.network import Latency


def latency(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[STUDY]",
            help="Name of a study.",
            show_default=False,
            autocompletion=complete_study,
        ),
    ] = None,
    trial: Annotated[
        str, typer.Option(help="best (in the first objective), pareto, a number or a key.")
    ] = "best",
    exported: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="A model that app-study export wrote, instead of a study; as often as wanted.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Threads; else as many as a trial has, 1 for folders."),
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Images at once; as often as wanted. [default: 1 and 64]"),
    ] = None,
    plugins: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE",
            help="A module of your own to import for --exported, such as the one with its "
            "architecture; as often as wanted.",
            show_default=False,
        ),
    ] = None,
    data_root: DataRoot = None,
    store: Store = None,
) -> None:
    """Time networks on this machine, in turns with the dense one of their architecture."""
    from study.measurement.here import exported_latency, model_latency

    console = Console()
    sizes = tuple(dict.fromkeys(batch or (1, 64)))
    if (name is None) == (not exported):
        raise StudyError(
            "latency takes the name of a study or --exported FOLDER, one of the two, "
            "e.g. app-study latency quickstart --trial best"
        )
    if name is None:
        for folder in exported or []:
            found = exported_latency(
                folder, threads=threads or 1, batch_sizes=sizes, plugins=plugins or ()
            )
            _print(found, console)
        return
    if plugins:
        raise StudyError("--plugins is for --exported FOLDER: a study names its own modules")
    from study.operations.opened_study import OpenedStudy
    from study.search.selection import choose

    opened = OpenedStudy.open(name, store, data_root)
    with in_file(opened.folder.config_path):
        chosen = choose(opened.record, trial, opened.study.objective)
        for recorded in chosen:
            model = opened.final_model(recorded)
            num_threads = threads or opened.study.resources.cpus_per_trial
            _print(model_latency(model, threads=num_threads, batch_sizes=sizes), console)


def _print(found: "LatencyHere", console: Console) -> None:
    say(console, found.title)
    table = Table("images at once", "measured", "ms", "dense, ms", "speed-up", "95 %", box=None)
    for one in found.here.latencies:
        _add_row(table, str(one.batch_size), "here", _here(one))
        recorded = _recorded(found.recorded, one.batch_size)
        if recorded:
            _add_row(table, "", "in the study", recorded)
    console.print(table)
    say(console, f"Here: {found.here.conditions}.")
    if found.recorded_with:
        say(console, f"In the study: {found.recorded_with}.")
    else:
        say(console, "The study has not measured it: see tracking.log_latency.")


def _add_row(table: Table, *cells: "str | tuple[str, ...]") -> None:
    flat = [c for cell in cells for c in ((cell,) if isinstance(cell, str) else cell)]
    table.add_row(*(escape(printable(text)) for text in flat))


def _here(one: "Latency") -> tuple[str, ...]:
    speedup = one.speedup
    return (
        f"{1e3 * one.seconds:.4g}",
        f"{1e3 * one.dense_seconds:.4g}",
        f"{speedup.median:.3g}",
        f"[{speedup.low:.3g}, {speedup.high:.3g}]",
    )


def _recorded(metrics: Mapping[str, float], batch_size: int) -> tuple[str, ...]:
    """What the study has for this batch size; empty where it has nothing."""
    names = speedup_names(batch_size)
    if names.latency not in metrics:
        return ()
    return (
        f"{metrics[names.latency]:.4g}",
        "",  # not recorded
        f"{metrics[names.speedup]:.3g}",
        f"[{metrics[names.low]:.3g}, {metrics[names.high]:.3g}]",
    )
