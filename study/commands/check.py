"""``app-study check``: a study's record against its checkpoints and MLflow."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from study.commands.completion import complete_study
from study.commands.options import DataRoot, Store, TrackingUri
from study.config.problems import in_file
from study.session.console import say
from study.text import count, printable
from study.workflow.addresses import store_root, tracking_address, with_data_root

if TYPE_CHECKING:
    from study.operations.check import Finding

FAULTY = 1


def check(
    name: Annotated[
        str,
        typer.Argument(help="Name of a study that is not running.", autocompletion=complete_study),
    ],
    repair: Annotated[
        bool, typer.Option("--repair", help="Correct checkpoints and runs by the record.")
    ] = False,
    data_root: DataRoot = None,
    store: Store = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Compare a study's checkpoints and MLflow runs with its record; exit code 1 on findings."""
    from study.config.loading import load_study
    from study.operations.check import check_study, repair_study
    from study.store.folder import StudyStore
    from study.store.record import Record
    from study.tracking.mlflow.runs import MlflowStore
    from study.tracking.run_tracker import RunTracker

    console = Console()
    folder = StudyStore(store_root(None, store)).existing(name)
    with in_file(folder.config_path):
        study = load_study(folder.config_path, overrides=with_data_root([], data_root))
    with folder.lock():
        record = Record.read(folder.record_path)
        runs = MlflowStore(tracking_address(study, tracking_uri), study.tracking.experiment)
        found = check_study(folder, record, runs)
        _print_findings(found, console)
        if found and repair:
            repair_study(study, folder, record, runs, RunTracker(runs, {}))
            remaining = check_study(folder, record, runs)
            say(console, f"{len(found) - len(remaining)} of {len(found)} repaired")
            _print_findings(remaining, console)
            found = remaining
    if not found:
        num_trials = count(len(record.trials), "trial")
        say(console, f"The study {name} agrees with its record: {num_trials}.")
        return
    if not repair:
        say(console, f"Repair it with: {folder.command('check --repair')}")
    raise typer.Exit(FAULTY)


def _print_findings(findings: "list[Finding]", console: Console) -> None:
    if not findings:
        return
    table = Table("where", "trial", "problem", box=None)
    for finding in findings:
        row = (finding.place, finding.trial or "the study", finding.text)
        table.add_row(*(escape(printable(text)) for text in row))
    console.print(table)
