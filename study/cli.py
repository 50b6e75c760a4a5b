"""The command ``app-study``. Heavy imports are made where they are used: ``--help`` is quick."""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from study.user_errors import SeveralError, in_file, is_users, printable

if TYPE_CHECKING:
    from study.config.study import StudyConfig
    from study.tune.launcher import StudyEnd
    from study.tune.store import StudyStore

DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"
USER_ERROR = 2
INTERRUPTED = 130

app = typer.Typer(
    name="app-study",
    help="Studies of Anytime Progressive Pruning on streams of megabatches.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Config = Annotated[Path, typer.Argument(help="A study file (YAML).", show_default=False)]
Set = Annotated[
    list[str],
    typer.Option("--set", metavar="PATH=VALUE", help="Override a value, e.g. training.lr=0.05."),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(help="Folder with the data; else data.root, else APP_STUDY_DATA."),
]
Store = Annotated[
    Path | None,
    typer.Option(help="Folder of all studies; else resources.storage_path, else app-studies."),
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        help="MLflow store; else tracking.uri, else MLFLOW_TRACKING_URI, else "
        f"{DEFAULT_TRACKING_URI}."
    ),
]
Reports = Annotated[Path, typer.Option(help="Folder of the reports.")]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from study import __version__

        print(f"app-study {__version__}")
        raise typer.Exit


@app.command()
def launch(
    config: Config,
    overrides: Set = [],  # noqa: B006  # Typer copies it
    data_root: DataRoot = None,
    store: Store = None,
    tracking_uri: TrackingUri = None,
    reports: Reports = Path("reports"),
) -> None:
    """Run a whole study on Ray, and end in a report."""
    from study.config.loading import load_study
    from study.tune.store import StudyStore

    with in_file(config):
        study = load_study(config, overrides=_with_data_root(overrides, data_root))
        study_store = StudyStore(_store_root(study, store))
        _run_study(study, study_store, tracking_uri, reports, fresh=True)


@app.command()
def resume(
    name: Annotated[str, typer.Argument(help="Name of a study that was cut off.")],
    data_root: DataRoot = None,
    store: Store = None,
    tracking_uri: TrackingUri = None,
    reports: Reports = Path("reports"),
) -> None:
    """Go on with a study that was interrupted, however that came about."""
    from study.config.loading import load_study
    from study.tune.store import StudyStore

    study_store = StudyStore(_store_root(None, store))
    folder = study_store.existing(name)
    with in_file(folder.config_path):
        study = load_study(folder.config_path, overrides=_with_data_root([], data_root))
        _run_study(study, study_store, tracking_uri, reports, fresh=False)


@app.command()
def run(
    config: Config,
    overrides: Set = [],  # noqa: B006  # Typer copies it
    data_root: DataRoot = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for checkpoints and history; a second call goes on from there."),
    ] = None,
) -> None:
    """Train one trial in the foreground, without Ray: the same numbers, to the bit."""
    from study.config.loading import load_study
    from study.local import run_trial, single_trial

    with in_file(config):
        study = load_study(config, overrides=_with_data_root(overrides, data_root))
        run_trial(study, single_trial(study), out=out, console=Console())


@app.command()
def validate(
    configs: Annotated[list[Path], typer.Argument(help="Study files (YAML).", show_default=False)],
    overrides: Set = [],  # noqa: B006  # Typer copies it
    data: Annotated[bool, typer.Option("--data", help="Read the data too.")] = False,
    data_root: DataRoot = None,
) -> None:
    """Check study files without starting anything."""
    from study.config.errors import ConfigError
    from study.config.loading import load_study

    refused = []
    for path in configs:
        try:
            with in_file(path):
                study = load_study(path, overrides=_with_data_root(overrides, data_root))
                if data:
                    from study.checks import load_and_check

                    load_and_check({trial.key(): trial for trial in study.corners()})
        except ConfigError as error:
            refused.append(error)
            continue
        num_trials = len(study.points) + study.num_proposals
        print(f"{path}: study {study.name!r} is valid, {num_trials} trials")
    if refused:
        raise SeveralError([str(error) for error in refused])


@app.command()
def plan(
    config: Config,
    overrides: Set = [],  # noqa: B006  # Typer copies it
    data_root: DataRoot = None,
) -> None:
    """Say what a study will take, from a few steps of each network timed on this machine."""
    from study.config.loading import load_study
    from study.planning import plan_study, plan_table

    cpus = os.cpu_count() or 1
    with in_file(config):
        study = load_study(config, overrides=_with_data_root(overrides, data_root))
        room = max(1, cpus // study.resources.cpus_per_trial)
        made = plan_study(study, max_concurrent=min(study.resources.max_concurrent or room, room))
    console = Console()
    console.print(plan_table(made))
    console.print(
        f"\n{made.num_known} trials known beforehand, {made.num_proposals} proposed by the sampler"
        f"\nexamples through SGD  {made.total('samples'):,.0f}"
        f"\ntraining FLOPs        {made.total('flops'):.3g} (counted dense)"
        f"\nestimated time        {made.hours:.2g} hours, {made.max_concurrent} trials at once on "
        f"this machine",
        highlight=False,
    )


@app.command()
def plugins(
    modules: Annotated[
        list[str] | None, typer.Argument(help="Modules of your own to import first.")
    ] = None,
) -> None:
    """List every plug-in with its settings."""
    from study.listing import plugin_tables

    console = Console()
    for table in plugin_tables(modules or []):
        console.print(table)
        console.print()


def _with_data_root(overrides: list[str], data_root: Path | None) -> list[str]:
    if data_root is None:
        return overrides
    from study.config.yaml_io import write_yaml

    return [*overrides, f"data.root={write_yaml(str(data_root.absolute())).strip()}"]


def _store_root(study: "StudyConfig | None", flag: Path | None) -> Path:
    from study.tune.store import DEFAULT_STORE

    if flag is not None:
        return flag
    if study is not None and study.resources.storage_path:
        return Path(study.resources.storage_path)
    return DEFAULT_STORE


def _tracking_uri(study: "StudyConfig", flag: str | None) -> str:
    return (
        flag or study.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING_URI
    )


def _run_study(
    study: "StudyConfig",
    store: "StudyStore",
    tracking_uri: str | None,
    reports: Path,
    *,
    fresh: bool,
) -> None:
    from study.tune.launcher import run_study

    console = Console()
    uri = _tracking_uri(study, tracking_uri)

    def open_tracker() -> Any:
        from study.tracking.mlflow_tracker import MlflowTracker

        return MlflowTracker(uri, experiment=study.tracking.experiment)

    end = run_study(study, store, open_tracker, console, fresh=fresh)
    _say_end(end, console, store)
    if end.num_complete:
        _say_answer(end.name, uri, reports, console)
    if not end.is_finished:
        raise typer.Exit(INTERRUPTED)


def _say_end(end: "StudyEnd", console: Console, store: "StudyStore") -> None:
    from study.tune.store import DEFAULT_STORE

    complete = f"{_trials(end.num_complete)} complete"
    if end.num_failed:
        complete += f", {end.num_failed} failed"
    if end.is_finished:
        done = f"The study {end.name} is finished: {complete}."
    else:
        elsewhere = store.root != DEFAULT_STORE.absolute()
        where = f" --store {shlex.quote(str(store.root))}" if elsewhere else ""
        done = (
            f"The study {end.name} was interrupted: {complete}.\n"
            f"Nothing is lost; go on with it by: app-study resume {end.name}{where}"
        )
    console.print(done, markup=False, highlight=False, soft_wrap=True)
    for reason, count in end.failures:
        said = f"  failed ({_trials(count)}): {reason}"
        console.print(said, markup=False, highlight=False, soft_wrap=True)


def _trials(count: int) -> str:
    return "1 trial" if count == 1 else f"{count} trials"


def _say_answer(name: str, uri: str, reports: Path, console: Console) -> None:
    from analysis.page import write_report

    report = write_report(name, tracking_uri=uri, out=reports / name)
    console.print()
    for sentence in report.sentences:
        # Wrapped for a person; whole lines for a program that reads them.
        console.print(
            f"• {sentence}", markup=False, highlight=False, soft_wrap=not console.is_terminal
        )
    console.print()
    console.print(f"[bold]Report[/bold]     {escape(str(report.page))}", soft_wrap=True)
    mlflow = Path(sys.executable).with_name("mlflow")
    program = mlflow if mlflow.exists() else "mlflow"
    console.print(
        f"[bold]MLflow UI[/bold]  {escape(str(program))} ui --backend-store-uri {escape(uri)}",
        soft_wrap=True,
    )


def main() -> None:
    """Run the command line; mistakes of the user end in a message and exit code 2."""
    try:
        app()
    except Exception as error:
        if not is_users(error):
            raise
        print(f"error: {printable(str(error))}", file=sys.stderr)
        sys.exit(USER_ERROR)


if __name__ == "__main__":
    main()
