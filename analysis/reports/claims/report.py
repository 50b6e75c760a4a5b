"""The paper's claims beside what was measured here."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from analysis.presentation.report import REPORTS, Column, Report, ReportSection, ReportTable
from analysis.presentation.tables import span
from analysis.reports.claims.claims import Claim, judged
from analysis.reports.claims.evidence import Finding
from analysis.runs.frames import T
from analysis.wording import listing
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
        found = judged(runs)
        decided = [(c, f) for c, f in found if f.verdict != "undecided"]
        return ReportSection(
            TITLE,
            (
                f"{len(decided)} of {count(len(found), 'claim')} can be decided by these trials, "
                f"by the 95 % interval of the effect.",
                *(f"{c.name}: {f.verdict} here. {f.words}" for c, f in decided),
                _setting_sentence(runs),
            ),
            tables=(_table(found),),
        )


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


def _table(found: list[tuple[Claim, Finding]]) -> ReportTable:
    columns = (
        Column("claim", "claim"),
        Column("says", "the paper says"),
        Column("stated", "its figure"),
        Column("source", "source"),
        Column("verdict", "here"),
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
            finding.verdict,
            finding.effect,
            span(finding.interval),
            finding.num,
            finding.words,
        )
        for claim, finding in found
    )
    return ReportTable("The paper's claims", columns, rows)
