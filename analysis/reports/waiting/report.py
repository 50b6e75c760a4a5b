"""After which arrivals to train a model, from one study that trains at all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from analysis.errors import ReportError
from analysis.presentation.report import REPORTS, Column, Report, ReportSection, ReportTable, Value
from analysis.presentation.tables import span
from analysis.reports.waiting.figure import waiting_figure
from analysis.reports.waiting.judging import Answer, JudgedPolicy
from analysis.reports.waiting.policies import EVERY, spans
from analysis.reports.waiting.sentences import (
    how_it_is_known,
    nothing_in_words,
    policies_in_words,
    waiting,
)

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs

TITLE = "When to retrain?"
JUDGED = "Judged"
_COLUMNS = (
    Column("replayed", "replayed"),
    Column("policy", "retraining"),
    Column("num_trained", "models trained"),
    Column("compute", "training FLOPs, of those at every arrival", "percent"),
    Column("service_error", "service error", "percent"),
    Column("kept", "service kept", "percent"),
    Column("kept_interval", "95 % interval", "interval"),
    Column("final_error", "final error", "percent"),
    Column("final_density", "weights kept", "percent"),
    Column("verdict", "against every arrival"),
    Column("test_service_error", "test service error", "percent"),
)
_VERDICTS = {
    "as_good": "as good",
    "better": "better",
    "worse": "worse",
    "undecided": "undecided",
}


@REPORTS.register("waiting")
@dataclass(frozen=True)
class WaitingReport(Report):
    """After which arrivals to train a model: every policy of waiting, replayed from one study."""

    position: ClassVar[int] = 32

    budget: float = field(
        default=1.0,
        metadata={
            "help": "The largest share of the compute of training at every arrival, above 0 and "
            "at most 1."
        },
    )

    @classmethod
    def is_for(cls, runs: "Runs") -> bool:
        """Where some trial starts each model from nothing."""
        trials = runs.complete
        if "training.mask" not in trials:
            return False
        return bool((trials["training.mask"].map(str) == "restart").any())

    def build(self, runs: "Runs") -> ReportSection:
        """Each configuration's answer, its figure, and the policies behind it."""
        if not 0 < self.budget <= 1:
            raise ReportError(
                f"--budget is a share of the compute of training at every arrival, above 0 and "
                f"at most 1, got {self.budget:g}"
            )
        made = waiting(runs, self.budget)
        if not made.answers:
            return ReportSection(TITLE, tuple(nothing_in_words(made)))
        named, answers = made.names, made.answers
        return ReportSection(
            TITLE,
            (
                *policies_in_words(made, runs, self.budget),
                how_it_is_known(made),
                *(f"Left out: trials where {reason}." for reason in made.reasons),
            ),
            figures=tuple(
                waiting_figure(f"waiting-{place}", name, one)
                for place, (name, one) in enumerate(zip(named, answers, strict=True))
            ),
            tables=(
                _table(JUDGED, named, answers, lambda a: (a.every, *a.candidates)),
                _table("Policies in words, not judged", named, answers, lambda a: a.rules),
                _table("Best by compute, not judged", named, answers, lambda a: a.front),
            ),
        )


def policy_sentences(runs: "Runs") -> list[str]:
    """When to retrain, for the study's answer; nothing where that cannot be replayed."""
    if not WaitingReport.is_for(runs):
        return []
    return policies_in_words(waiting(runs, 1.0), runs, 1.0)


def _table(
    title: str,
    named: Sequence[str],
    answers: Sequence[Answer],
    chosen: Callable[[Answer], Sequence[JudgedPolicy]],
) -> ReportTable:
    """A row a policy; a verdict where it was tested, and else whether the network is larger."""
    rows = [
        _row(name, one, made)
        for name, made in zip(named, answers, strict=True)
        for one in chosen(made)
    ]
    return ReportTable(title, _COLUMNS, tuple(rows), folded=title != JUDGED)


def _row(name: str, one: JudgedPolicy, made: Answer) -> tuple[Value, ...]:
    kept, interval = one.kept
    tests = [r.test_service_error for r in one.replays]
    is_reference = one.weighed.policy == EVERY
    verdict = "a larger network" if one.weighed.is_larger_than(made.every.weighed) else None
    if one in made.tested:
        verdict = _VERDICTS[one.judgement.verdict]
    elif one in made.candidates:
        verdict = "not asked, since a dearer one is not as good"
    test = sum(tests) / len(tests)
    return (
        name,
        one.weighed.policy.words,
        spans(one.weighed.sets),
        one.weighed.compute,
        one.weighed.service,
        kept if kept == kept else None,
        None if is_reference else span(interval),
        one.weighed.final,
        one.weighed.density,
        verdict,
        test if test == test else None,
    )
