"""``app-study list`` and ``app-study status``."""

import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from study.commands.completion import complete_study
from study.commands.options import Store
from study.session.console import say
from study.text import duration, printable
from study.workflow.addresses import store_root

if TYPE_CHECKING:
    from study.operations.status import StudyStatus, TrialStatus

NUM_BEST = 5


def list_studies(store: Store = None) -> None:
    """List the studies of a store: state, trials, best so far."""
    from study.results import Outcome
    from study.store.store import StorePlace
    from study.workflow.watching import read_all_statuses

    place = StorePlace.from_address(store_root(None, store))
    studies = read_all_statuses(place)
    if not studies:
        say(Console(), f"No study in {place}.")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("study", "state"):
        table.add_column(title, no_wrap=True)
    for title in ("ended", "failed"):
        table.add_column(title, justify="right")
    table.add_column("last recorded", no_wrap=True)
    table.add_column("best so far")
    for study in studies:
        if study.trouble:
            trouble = escape(printable(study.trouble))
            table.add_row(escape(study.name), study.stage, "", "", "", trouble)
            continue
        ended = len(study.trials) - study.count(None)
        table.add_row(
            escape(study.name),
            study.stage,
            f"{ended}/{study.num_trials or '?'}",
            str(study.count(Outcome.ERROR)),
            _when(study.last_at),
            escape(_best(study)),
        )
    _console().print(table)


def status(
    name: Annotated[str, typer.Argument(help="Name of a study.", autocompletion=complete_study)],
    store: Store = None,
) -> None:
    """Show a study: progress, running trials, the best, the failures and their reasons."""
    from study.results import Outcome
    from study.session.failure_causes import by_cause
    from study.store.store import StorePlace
    from study.workflow.watching import read_study_status

    place = StorePlace.from_address(store_root(None, store))
    study = read_study_status(place, name)
    console = _console()
    counts = ", ".join(
        f"{study.count(outcome)} {outcome.replace('_', ' ')}"
        for outcome in Outcome
        if study.count(outcome)
    )
    lines = [
        f"{name} is {study.stage}: {study.progress(counts)}",
        *_confirmation(study, place.command("resume", name)),
        f"last recorded {_when(study.last_at)}, active for {duration(study.active_s)}",
    ]
    if study.tracking:
        lines.append(f"tracked at {study.tracking}, experiment {study.experiment}")
    lines += _trials(study)
    lines += [_update(trial) for trial in study.updates.values()]
    failed = [trial for trial in study.trials.values() if trial.outcome is Outcome.ERROR]
    lines += [f"failed ({count}): {why}" for why, count in by_cause(t.reason for t in failed)]
    for line in lines:
        say(console, line)


def _confirmation(study: "StudyStatus", resume: str) -> list[str]:
    """How far the study that confirms it is, or what would start it."""
    if not study.confirmed_by:
        return []
    if study.confirmation is None:
        how = "follows" if study.state == "running" else f"{resume} runs it"
        return [f"its best are confirmed by {study.confirmed_by}: {how}"]
    return [f"its best are confirmed by {study.confirmed_by}: {study.confirmation.progress()}"]


def _trials(study: "StudyStatus") -> list[str]:
    lines = [
        f"{'now' if study.state == 'running' else 'interrupted'}: {trial.title}, "
        f"{trial.stream_fraction:.0%} of its stream"
        for trial in study.trials.values()
        if trial.outcome is None
    ]
    best = study.best_first()[:NUM_BEST]
    for place, trial in enumerate(best, start=1):
        values = ", ".join(
            f"{name.replace('_', ' ')} {trial.metrics[name]:.4g}"
            for name in study.shown
            if name in trial.metrics
        )
        lines.append(f"best {place}: {trial.title} (trial {trial.number}): {values}")
    return lines


def _update(trial: "TrialStatus") -> str:
    how = trial.outcome or "interrupted; the same command resumes it"
    error = trial.metrics.get("holdout_error_rate")
    measured = f", holdout error rate {error:.4g}" if error is not None else ""
    return f"update: {trial.title} (trial {trial.number}): {how}{measured}"


def _best(study: "StudyStatus") -> str:
    best = study.best_first()
    if not best:
        return ""
    name = study.shown[0]
    return f"{name.replace('_', ' ')} {best[0].metrics[name]:.4g}: {best[0].title}"


def _when(at: float) -> str:
    return f"{datetime.datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M}"


def _console() -> Console:
    console = Console()
    # Whole lines for a program that reads them.
    return console if console.is_terminal else Console(width=1000)
