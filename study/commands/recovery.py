"""Commands for studies that have ended: compare what is left of one, and go on with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from study.commands.options import (
    Address,
    DataRoot,
    Reports,
    Store,
    TrackingUri,
    store_root,
    tracking_address,
    with_data_root,
)
from study.commands.running import resume
from study.user_errors import in_file, printable
from study.wording import count

if TYPE_CHECKING:
    from study.tune.consistency import Finding

FAULTY = 1


def extend(
    name: Annotated[str, typer.Argument(help="Name of a study.")],
    trials: Annotated[
        int | None, typer.Option(min=1, help="More proposals, added to budget.trials.")
    ] = None,
    hours: Annotated[
        float | None, typer.Option(min=0, help="More hours, added to budget.hours.")
    ] = None,
    train_flops: Annotated[
        float | None, typer.Option(min=0, help="More FLOPs, added to budget.train_flops.")
    ] = None,
    data_root: DataRoot = None,
    store: Store = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    reports: Reports = Path("reports"),
) -> None:
    """Raise the budget of a study, and go on with it where it had come to its end."""
    from study.config.loading import load_study
    from study.tune.extension import Extension
    from study.tune.extension import extend as raise_budget
    from study.tune.store import StudyStore

    folder = StudyStore(store_root(None, store)).existing(name)
    with in_file(folder.config_path):
        study = load_study(folder.config_path)
        raise_budget(study, folder, Extension(trials, hours, train_flops))
    resume(name, data_root, store, address, tracking_uri, reports)


def check(
    name: Annotated[str, typer.Argument(help="Name of a study that does not run.")],
    repair: Annotated[
        bool, typer.Option("--repair", help="Make checkpoints and runs what the record says.")
    ] = False,
    data_root: DataRoot = None,
    store: Store = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Compare a study's record with its checkpoints and with MLflow; exit code 1 on findings."""
    from study.config.loading import load_study
    from study.tracking.mlflow_tracker import MlflowStore
    from study.tracking.run_tracker import RunTracker
    from study.tune.consistency import check_study, mend_study
    from study.tune.record import Record
    from study.tune.store import StudyStore

    console = Console()
    folder = StudyStore(store_root(None, store)).existing(name)
    with in_file(folder.config_path):
        study = load_study(folder.config_path, overrides=with_data_root([], data_root))
    with folder.lock():
        record = Record.read(folder.record_path)
        runs = MlflowStore(tracking_address(study, tracking_uri), study.tracking.experiment)
        found = check_study(folder, record, runs)
        _say(found, console)
        if found and repair:
            mend_study(study, folder, record, runs, RunTracker(runs, {}))
            left = check_study(folder, record, runs)
            console.print(f"{len(found) - len(left)} of {len(found)} mended")
            _say(left, console)
            found = left
    if not found:
        num_trials = count(len(record.trials), "trial")
        console.print(
            f"The study {name} is as its record says: {num_trials}.", markup=False, highlight=False
        )
        return
    if not repair:
        console.print("mend it by: app-study check --repair", end=" ", highlight=False)
        console.print(name, markup=False, highlight=False)
    raise typer.Exit(FAULTY)


def _say(findings: "list[Finding]", console: Console) -> None:
    if not findings:
        return
    table = Table("where", "trial", "what is wrong", box=None)
    for finding in findings:
        row = (finding.place, finding.trial or "the study", finding.text)
        table.add_row(*(escape(printable(text)) for text in row))
    console.print(table)
