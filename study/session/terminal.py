"""What the person at the terminal, or at a notebook, sees of a running study."""

from collections.abc import Callable, Sequence

from rich.console import Console, Group
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from study.constraints import Constraint
from study.results import Outcome, TrialHistory
from study.session.console import say
from study.session.live_view import live_view
from study.session.markdown_summary import best_first
from study.store.record import RecordedTrial
from study.tracking.facts import TrialInfo

NUM_BEST = 5


class TerminalDisplay:
    """One progress bar and the best trials so far; on a pipe or in a file, a line per trial.

    Use as a context manager.

    Args:
        console: Where to.
        metrics: What is shown of a trial; the first ranks.
        num_trials: How many trials the study has in all.
        constraints: Limits that the best meet.
    """

    def __init__(
        self,
        console: Console,
        *,
        study: str,
        metrics: tuple[str, ...],
        num_trials: int,
        constraints: tuple[Constraint, ...] = (),
    ) -> None:
        self._console = console
        self._metrics = metrics
        self._num_trials = num_trials
        self._constraints = constraints
        self._num_ended = self._num_failed = 0
        self._best: list[tuple[str, RecordedTrial]] = []  # with their titles
        self._running: dict[str, tuple[TrialInfo, float]] = {}
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("trials"),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
        )
        self._task = self._progress.add_task(escape(study), total=num_trials)
        self._view = live_view(console, self._render)

    def __enter__(self) -> "TerminalDisplay":
        if self._view:
            self._view.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._view:
            self._running.clear()
            self._view.stop()

    def recorded(self, trials: Sequence[RecordedTrial], info: Callable[[str], TrialInfo]) -> None:
        """Trials that had ended before this process began; ``info`` is asked for by a key."""
        self._count(trials, info)
        self._progress.update(self._task, completed=self._num_ended)

    def _count(self, ended: Sequence[RecordedTrial], info: Callable[[str], TrialInfo]) -> None:
        """More trials have ended; of all of them only the best are kept."""
        self._num_ended += len(ended)
        self._num_failed += sum(trial.outcome is Outcome.ERROR for trial in ended)
        titles = {trial.key: title for title, trial in self._best}
        known = (trial for _, trial in self._best)
        best = best_first([*known, *ended], self._metrics, self._constraints)[:NUM_BEST]
        self._best = [(titles.get(t.key) or info(t.key).title, t) for t, _ in best]

    def started(self, info: TrialInfo) -> None:
        """A trial has started or resumed."""
        self._running[info.key] = (info, 0.0)
        self._update()

    def progressed(self, info: TrialInfo, history: TrialHistory) -> None:
        """A trial has reported."""
        if history.megabatches:
            self._running[info.key] = (info, history.megabatches[-1].stream_fraction)
            self._update()

    def ended(self, info: TrialInfo, trial: RecordedTrial) -> None:
        """A trial has an outcome."""
        self._running.pop(info.key, None)
        self._count([trial], lambda _: info)
        self._update()
        if not self._view:
            done = f"[{self._num_ended}/{self._num_trials}]"
            self.notice(f"{done} {info.title}: {self._result(trial)}")

    def notice(self, text: str) -> None:
        """Something the person should know."""
        say(self._console, text, wrap_words=True)

    def _update(self) -> None:
        # A running trial counts by the fraction of its stream, so that the bar keeps moving.
        part = sum(fraction for _, fraction in self._running.values())
        self._progress.update(self._task, completed=round(self._num_ended + part, 2))
        if self._view:
            self._view.refresh()

    def _result(self, trial: RecordedTrial) -> str:
        values = trial.values(self._metrics)
        if values is None:
            return f"{trial.outcome}: {trial.reason}" if trial.reason else str(trial.outcome)
        return ", ".join(
            f"{name.replace('_', ' ')} {value:.4g}"
            for name, value in zip(self._metrics, values, strict=True)
        )

    def _render(self) -> Group:
        table = Table(box=None, pad_edge=False, title_justify="left")
        table.add_column("best so far", no_wrap=True, style="bold")
        for name in self._metrics:
            table.add_column(name.replace("_", " "), justify="right")
        for title, trial in self._best:
            values = trial.values(self._metrics) or ()
            table.add_row(escape(title), *(f"{value:.4g}" for value in values))
        now = [
            f"  now: {escape(info.title)}  {fraction:.0%} of its stream"
            for info, fraction in self._running.values()
        ]
        tail = [f"  [red]{self._num_failed} failed[/red]"] if self._num_failed else []
        return Group(*([table] if table.row_count else []), *now, *tail, self._progress)
