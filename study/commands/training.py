"""What all commands that train a study have in common: its tracker, its end, its answer."""

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from study.commands.ending import print_answer, print_end, study_to_report
from study.commands.options import tracking_address
from study.session.console import say

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig
    from study.session.end import StudyEnd
    from study.store.folder import StudyStore
    from study.tracking.tracker import Tracker

INTERRUPTED = 130
ENDED = 1  # by its own budget.max_failures


@dataclass(frozen=True)
class Workplace:
    """Where studies are trained and reported on.

    Attributes:
        store: Where they live.
        tracking_uri: MLflow's address as a flag gave it; None for the study's own.
        reports: Folder of the reports.
        ray: Holds the Ray that one study after the other is trained on.
    """

    store: "StudyStore"
    tracking_uri: str | None
    reports: Path
    ray: contextlib.ExitStack

    def train(self, study: "StudyConfig", *, fresh: bool) -> "StudyEnd":
        """Start or resume a study, and print how it ended; where it did not, its answer so far.

        Raises:
            typer.Exit: It was interrupted, or ended by its own budget.
        """
        from study.operations.launch import run_study

        console = Console()
        print_plugins(study, console)
        uri = tracking_address(study, self.tracking_uri)
        end = run_study(
            study, self.store, lambda: open_tracker(study, uri), console, self.ray, fresh=fresh
        )
        print_end(end, console, self.store)
        if not end.is_finished:
            self.answer(study, end)
            raise typer.Exit(ENDED if end.why else INTERRUPTED)
        return end

    def answer(self, study: "StudyConfig", end: "StudyEnd") -> None:
        """Write the report and print what it answers, if MLflow has what it takes."""
        if end.num_complete and not end.undelivered:
            uri = tracking_address(study, self.tracking_uri)
            print_answer(study_to_report(study, end.name, uri), uri, self.reports, Console())


def print_plugins(study: "StudyConfig", console: Console) -> None:
    """Which modules of the user's run too, and where they lie."""
    for name in study.plugins:
        place = getattr(sys.modules[name], "__file__", None) or "no file"
        say(console, f"plug-in {name}: {place}")


def open_tracker(study: "StudyConfig", uri: str) -> "Tracker":
    """The MLflow store at ``uri``, in the experiment of the study."""
    from study.tracking.mlflow.tracker import MlflowTracker

    return MlflowTracker(uri, experiment=study.tracking.experiment)
