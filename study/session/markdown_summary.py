"""The status of a study: the best trials so far, and the text that MLflow shows above it."""

import collections
from collections.abc import Iterable

from study.config.study_config import StudyConfig
from study.constraints import Constraint
from study.metrics import METRICS
from study.results import Outcome
from study.search import ranking
from study.session.failure_causes import by_cause
from study.store.record import RecordedTrial
from study.text import one_line
from study.trial.titles import title_of

_NUM_BEST = 10
_NUM_REASONS = 10
_MAX_CELL = 160  # characters
_ENDED = {
    Outcome.COMPLETE: "complete",
    Outcome.EARLY_STOPPED: "stopped early",
    Outcome.ERROR: "failed",
    Outcome.INTERRUPTED: "interrupted",
}


def best_first(
    trials: Iterable[RecordedTrial],
    metrics: tuple[str, ...],
    constraints: tuple[Constraint, ...] = (),
) -> list[tuple[RecordedTrial, tuple[float, ...]]]:
    """The complete trials with their values of ``metrics``, the best by the first metric first.

    Without those that break a constraint.
    """
    complete = [trial for trial in trials if trial.outcome is Outcome.COMPLETE]
    ranked = ranking.best_first(complete, lambda t: t.final_values, metrics[0], constraints)
    return [(trial, trial.values(metrics) or ()) for trial in ranked]


def markdown_summary(study: StudyConfig, trials: Iterable[RecordedTrial]) -> str:
    """Question, progress, best so far, space and failures, in Markdown.

    Args:
        study: The study.
        trials: All that are recorded.
    """
    recorded = list(trials)
    parts = [
        study.description.strip(),
        _question(study),
        _progress(recorded, study.num_trials),
        _best(study, recorded),
        _space(study),
        _failures(recorded),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _question(study: StudyConfig) -> str:
    metrics = " and ".join(f"`{m}` ({METRICS[m].direction})" for m in study.shown_metrics)
    if study.search:
        return f"**Objective:** {metrics}, searched by `{study.search.sampler}`."
    return f"**Compared:** every combination of what varies, by {metrics}."


def _progress(trials: list[RecordedTrial], total: int) -> str:
    counts = collections.Counter(t.outcome for t in trials if t.outcome is not None)
    outcomes = ", ".join(f"{counts[o]} {text}" for o, text in _ENDED.items() if counts[o])
    how = f": {outcomes}" if outcomes else ""
    return f"**Progress:** {counts.total()} of {total} trials have ended{how}."


def _best(study: StudyConfig, trials: list[RecordedTrial]) -> str:
    metrics = study.shown_metrics
    best = best_first(trials, metrics, study.objective.limits)[:_NUM_BEST]
    if not best:
        return ""
    rows = [
        [
            str(trial.number),
            title_of(trial.config, study.differing),
            *(f"{value:.4g}" for value in values),
        ]
        for trial, values in best
    ]
    table = _table(["trial", "name", *metrics], rows)
    return f"**Best so far**, by `{metrics[0]}`\n\n{table}"


def _space(study: StudyConfig) -> str:
    rows = [[f"`{d.path}`", str(d.domain)] for d in study.space.dimensions]
    for group in study.axes:
        rows += [[f"`{path}`", ", ".join(map(str, values))] for path, values in group.items()]
    return f"**What varies**\n\n{_table(['path', 'values'], rows)}" if rows else ""


def _failures(trials: list[RecordedTrial]) -> str:
    causes = by_cause(t.reason for t in trials if t.outcome is Outcome.ERROR)
    if not causes:
        return ""
    rows = [[str(count), reason] for reason, count in causes[:_NUM_REASONS]]
    return f"**Failures**\n\n{_table(['trials', 'reason'], rows)}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """One line, in which nothing ends the cell and nothing is HTML."""
    return one_line(text, _MAX_CELL).replace("|", "\\|").replace("<", "&lt;")
