"""Commands that train: a whole study, the rest of one, or a single trial."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from study.commands.ending import print_answer, print_end, study_to_report
from study.commands.options import (
    Address,
    Config,
    DataRoot,
    Reports,
    Set,
    Store,
    TrackingUri,
    store_root,
    tracking_address,
    with_data_root,
    with_override,
)
from study.config.problems import in_file
from study.session.console import say

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig
    from study.store.folder import StudyStore
    from study.tracking.tracker import Tracker

INTERRUPTED = 130
ENDED = 1  # by its own budget.max_failures


def launch(
    config: Config,
    overrides: Set = [],  # noqa: B006  # Typer copies it
    data_root: DataRoot = None,
    store: Store = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    reports: Reports = Path("reports"),
) -> None:
    """Run a study on Ray and write its report."""
    from study.config.loading import load_study
    from study.store.folder import StudyStore

    with in_file(config):
        # The addresses are part of the study from now on: it is resumed where it was.
        given = with_override(with_data_root(overrides, data_root), "tracking.uri", tracking_uri)
        given = with_override(given, "resources.address", address)
        study = load_study(config, overrides=given)
        study_store = StudyStore(store_root(study, store))
        run_whole(study, study_store, tracking_uri, reports, fresh=True)


def resume(
    name: Annotated[str, typer.Argument(help="Name of the interrupted study.")],
    data_root: DataRoot = None,
    store: Store = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    reports: Reports = Path("reports"),
) -> None:
    """Resume a study that was interrupted, by whatever."""
    from study.config.loading import load_study
    from study.store.folder import StudyStore

    study_store = StudyStore(store_root(None, store))
    folder = study_store.existing(name)
    with in_file(folder.config_path):
        given = with_override(with_data_root([], data_root), "resources.address", address)
        study = load_study(folder.config_path, overrides=given)
        run_whole(study, study_store, tracking_uri, reports, fresh=False)


def print_plugins(study: "StudyConfig", console: Console) -> None:
    """Which modules of the user's run too, and where they lie."""
    for name in study.plugins:
        place = getattr(sys.modules[name], "__file__", None) or "no file"
        say(console, f"plug-in {name}: {place}")


def run_whole(
    study: "StudyConfig",
    store: "StudyStore",
    tracking_uri: str | None,
    reports: Path,
    *,
    fresh: bool,
) -> None:
    """Start or resume a study; print how it ended and write its report.

    Raises:
        typer.Exit: It was interrupted, or ended by its own budget.
    """
    from study.operations.launch import run_study

    console = Console()
    print_plugins(study, console)
    uri = tracking_address(study, tracking_uri)

    end = run_study(study, store, lambda: open_tracker(study, uri), console, fresh=fresh)
    print_end(end, console, store)
    if end.num_complete and not end.undelivered:
        print_answer(study_to_report(study, end.name, uri), uri, reports, console)
    if not end.is_finished:
        raise typer.Exit(ENDED if end.why else INTERRUPTED)


def open_tracker(study: "StudyConfig", uri: str) -> "Tracker":
    """The MLflow store at ``uri``, in the experiment of the study."""
    from study.tracking.mlflow.tracker import MlflowTracker

    return MlflowTracker(uri, experiment=study.tracking.experiment)
