"""Where a study is trained and reported on: its tracker, its end, its answer."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from study.credentials import holds_credentials
from study.session.console import say
from study.text import count, printable
from study.workflow.addresses import tracking_address

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig
    from study.session.end import StudyEnd
    from study.store.folder import StudyStore
    from study.tracking.tracker import Tracker
    from study.tune.cluster.study_ray import StudyRay


@dataclass(frozen=True)
class Workplace:
    """Where studies are trained and reported on.

    Attributes:
        store: Where they live.
        tracking_uri: MLflow's address as a flag gave it; None for the study's own.
        reports: Folder of the reports.
        ray: On which one study after the other is trained.
        console: Where progress and the answer are shown.
    """

    store: "StudyStore"
    tracking_uri: str | None
    reports: Path
    ray: "StudyRay"
    console: Console = field(default_factory=Console)

    def train(self, study: "StudyConfig", *, fresh: bool) -> "StudyEnd":
        """Start or resume a study, and print how it ended; where it did not, its answer so far."""
        from study.operations.launch import run_study
        from study.tracking.mlflow.own_process import in_own_process
        from study.tune.cluster.ray_restarts import RayHasDiedError

        console = self.console
        print_plugins(study, console)
        uri = tracking_address(study, self.tracking_uri)
        with in_own_process(uri, study.tracking.experiment) as tracker:
            try:
                end = run_study(study, self.store, tracker.open, console, self.ray, fresh=fresh)
            except RayHasDiedError as died:
                if self.ray.restarts is None or not self.ray.restarts.may_restart:
                    raise
                self.ray.restarts.resume(died.study)
        print_end(end, console, self.store)
        if not end.is_finished:
            self.answer(study, end)
        return end

    def answer(self, study: "StudyConfig", end: "StudyEnd") -> None:
        """Write the report and print what it answers, if MLflow has what it takes."""
        if end.num_complete and not end.undelivered:
            uri = tracking_address(study, self.tracking_uri)
            name = study_to_report(study, end.name, uri)
            ui = self.store.place.command("ui", name)
            print_answer(name, uri, self.reports, self.console, ui=ui)


def print_plugins(study: "StudyConfig", console: Console) -> None:
    """Which modules of the user's run too, and where they lie."""
    for name in study.plugins:
        place = getattr(sys.modules[name], "__file__", None) or "no file"
        say(console, f"plug-in {name}: {place}")


def open_tracker(study: "StudyConfig", uri: str) -> "Tracker":
    """The MLflow store at ``uri``, in the experiment of the study."""
    from study.tracking.mlflow.tracker import MlflowTracker

    return MlflowTracker(uri, experiment=study.tracking.experiment)


def print_end(end: "StudyEnd", console: Console, store: "StudyStore") -> None:
    """How many trials ended how, and how to continue."""
    progress = f"{count(end.num_complete, 'trial')} complete"
    if end.num_failed:
        progress += f", {end.num_failed} failed"
    if end.num_interrupted:
        progress += f", {end.num_interrupted} interrupted"
    if end.is_finished:
        say(console, f"The study {end.name} is finished: {progress}.")
    else:
        how = "was ended by its budget" if end.why else "was interrupted"
        say(
            console,
            f"The study {end.name} {how}: {progress}.\n"
            f"Nothing is lost; resume it with: {store.place.command('resume', end.name)}",
        )
    if end.savings.num_stopped:
        say(
            console,
            f"Stopped early: {count(end.savings.num_stopped, 'trial')}, which saved "
            f"{end.savings.fraction:.0%} of the examples through SGD.",
        )
    if end.why:
        say(console, f"  {end.why}")
    for reason, num_failed in end.failures:
        say(console, f"  failed ({count(num_failed, 'trial')}): {reason}")
    _print_unsent(end, store.place.command("sync", end.name), console)


def _print_unsent(end: "StudyEnd", sync: str, console: Console) -> None:
    """What has not reached the study's store and the tracking store, and what sends it."""
    if end.unsent:
        say(
            console,
            f"The study's store is missing a part of its record: {end.unsent}\n"
            f"The copy on this machine is complete; once the store answers, upload it with: "
            f"{sync}",
        )
    if end.undelivered:
        unsent = end.undelivered
        say(
            console,
            f"MLflow is missing results of {count(unsent.num_trials, 'trial')} and the study's "
            f"own run: {unsent.reason}\n"
            f"The study's record is complete; once MLflow answers, log the rest with: {sync}",
        )


def study_to_report(study: "StudyConfig", name: str, uri: str) -> str:
    """The study to report on: the one that is confirmed, where MLflow has it; else its own."""
    from analysis.runs.load import is_known

    if study.confirms is None or not is_known(study.confirms.study, tracking_uri=uri):
        return name
    return study.confirms.study


def print_answer(name: str, uri: str, reports: Path, console: Console, *, ui: str) -> None:
    """Write the report and print its sentences; ``ui`` is the command that shows its runs."""
    from analysis.page.page import write_report

    report = write_report(name, tracking_uri=uri, out=reports / name)
    console.print()
    for sentence in report.sentences:
        say(console, f"• {sentence}", wrap_words=True)
    console.print()
    console.print(f"[bold]Report[/bold]     {escape(str(report.page))}", soft_wrap=True)
    console.print(f"[bold]MLflow UI[/bold]  {escape(_interface(uri, ui))}", soft_wrap=True)


def _interface(uri: str, ui: str) -> str:
    """Where MLflow shows the study, or the command that shows it."""
    if uri.startswith(("http://", "https://")):
        return printable(uri)
    if holds_credentials(uri):  # they are no argument of a command
        return ui
    mlflow = Path(sys.executable).with_name("mlflow")
    program = mlflow if mlflow.exists() else "mlflow"
    return f"{program} ui --backend-store-uri {printable(uri)}"
