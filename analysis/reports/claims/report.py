"""The paper's claims beside what was measured here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from analysis.comparison.comparisons import Comparison
from analysis.presentation.method_differences import examples_sentence
from analysis.presentation.report import REPORTS, Column, Report, ReportSection, ReportTable
from analysis.presentation.tables import span
from analysis.reports.claims.claims import Claim, Judged, judged
from analysis.reports.claims.evidence import Evidence
from analysis.reports.claims.judging import Finding
from analysis.runs.frames import T
from analysis.wording import listing
from study.comparisons import pairs_needed
from study.metrics import METRICS
from study.text import count

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs

TITLE = "Do the paper's claims hold here?"


@REPORTS.register("claims")
@dataclass(frozen=True)
class ClaimsReport(Report):
    """Each sourced claim of the paper: supported, contradicted or undecided by these trials."""

    position: ClassVar[int] = 72

    def build(self, runs: "Runs") -> ReportSection:
        """One table, a row a claim, and in sentences what was decided."""
        made = judged(runs)
        found = made.findings
        decided = [(c, f) for c, f in found if f.outcome != "undecided"]
        return ReportSection(
            TITLE,
            (
                f"{len(decided)} of {count(len(found), 'claim')} can be decided here; "
                f"{made.family} have trials to be judged by. These are judged together, by exact "
                f"tests with Holm over all of them, so that anything false is said in at most 5 % "
                f"of such studies.",
                *(f"{c.name}: {f.outcome} here. {f.words}" for c, f in decided),
                *_too_few(made),
                *_of_examples(made),
                _setting_sentence(runs),
            ),
            tables=(_table(found),),
        )


def _compared(made: Judged) -> list[tuple[Comparison, str]]:
    return [
        (e.comparison, e.metric)
        for e in made.evidence
        if isinstance(e, Evidence) and e.comparison is not None
    ]


def _too_few(made: Judged) -> list[str]:
    """That so many claims take more pairs than some of them have."""
    needed = pairs_needed(made.family) if made.family else 0
    short = [c.result.num_pairs for c, _ in _compared(made) if c.result.num_pairs < needed]
    if not short:
        return []
    return [
        f"{count(len(short), 'claim')} cannot be decided whatever comes out: {min(short)} pairs "
        f"are too few for {count(made.family, 'comparison')}, {needed} would do."
    ]


def _of_examples(made: Judged) -> list[str]:
    compared = _compared(made)
    errors = [c for c, metric in compared if METRICS[metric].quantity == "error"]
    return examples_sentence(errors, compared[0][1]) if errors else []


def _setting_sentence(runs: "Runs") -> str:
    trials = runs.complete
    data, models = sorted(set(trials["dataset"])), sorted(set(trials["architecture"]))
    if not data:
        return "No trial has finished, so no claim can be judged."
    lengths = ", ".join(str(int(t)) for t in sorted(trials[T].dropna().unique()))
    return (
        f"Measured on {listing(data)} with {listing(models)} at T = {lengths}. The paper's "
        f"figures are of its own data, networks and budgets: a verdict says what holds here, and "
        f"judges the paper only where the setting is its own. Studies made for these claims: "
        f"claims_smoke.yaml, claims_small.yaml and claims_full.yaml in search_spaces/paper."
    )


def _table(found: Sequence[tuple[Claim, Finding]]) -> ReportTable:
    columns = (
        Column("claim", "claim"),
        Column("says", "the paper says"),
        Column("stated", "its figure"),
        Column("source", "source"),
        Column("outcome", "here"),
        Column("verdict", "APP is"),
        Column("effect", "effect here (points)", "points"),
        Column("interval", "95 % interval", "interval"),
        Column("num", "pairs", "integer"),
        Column("words", "what was found"),
    )
    rows = tuple(
        (
            claim.name,
            claim.says,
            claim.stated or None,
            claim.source,
            finding.outcome,
            finding.verdict or None,
            finding.effect,
            span(finding.interval),
            finding.num,
            finding.words,
        )
        for claim, finding in found
    )
    return ReportTable("The paper's claims", columns, rows)
