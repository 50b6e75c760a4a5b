"""The claims judged together, by the standard of all comparisons of methods."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.comparison.comparisons import in_cost, margin_of
from analysis.presentation.method_differences import VERDICTS, Standard, comparison_sentence
from analysis.reports.claims.evidence import HIGH_T, Evidence, TurnEvidence
from analysis.runs.study_runs import StudyFacts
from analysis.statistics import multiple
from analysis.statistics.multiple import judge_differences
from analysis.statistics.summary import Interval
from analysis.wording import probability
from study.comparisons import SIGNIFICANCE
from study.text import count

Outcome = Literal["supported", "contradicted", "undecided"]


@dataclass(frozen=True)
class Finding:
    """What the trials say of a claim.

    Attributes:
        outcome: Whether what the claim says is shown, the opposite, or neither.
        verdict: On APP against the other, in the words of all verdicts; empty where nothing is
            compared.
        effect: In fractions; None where nothing could be measured.
        interval: Its own 95 % interval; None where the pairs give none.
        num: Pairs of trials, or configurations, that it rests on.
        words: The effect in its own unit, and why the verdict.
    """

    outcome: Outcome
    verdict: str
    effect: float | None
    interval: Interval | None
    num: int
    words: str


def judge_claims(
    found: Sequence[Evidence | TurnEvidence], study: StudyFacts
) -> tuple[list[Finding], int]:
    """A finding for each claim, and how many of them share the 5 %: those that have trials."""
    compared = [e for e in found if isinstance(e, Evidence) and e.comparison is not None]
    turned = [e for e in found if isinstance(e, TurnEvidence) and e.turn is not None]
    findings, adjusted = judge_differences(
        [in_cost(e.comparison.result, e.metric) for e in compared if e.comparison is not None],
        [margin_of(study, e.metric) for e in compared],
        others=[e.p for e in turned],
    )
    family = len(compared) + len(turned)
    of_pairs = {id(e): finding for e, finding in zip(compared, findings, strict=True)}
    of_turns = {id(e): p for e, p in zip(turned, adjusted, strict=True)}
    made = [
        _of_turn(e, of_turns.get(id(e)))
        if isinstance(e, TurnEvidence)
        else _of_pairs(e, of_pairs.get(id(e)), Standard.of(study, e.metric, family))
        for e in found
    ]
    return made, family


def _nothing(words: str) -> Finding:
    return Finding("undecided", "", None, None, 0, words)


def _of_pairs(evidence: Evidence, finding: multiple.Finding | None, standard: Standard) -> Finding:
    if finding is None or evidence.comparison is None:
        return _nothing(evidence.missing)
    result = evidence.comparison.result
    interval = result.interval()
    sentence = comparison_sentence(evidence.comparison, finding, standard)
    return Finding(
        _outcome(evidence, finding),
        VERDICTS[finding.verdict],
        -result.estimate if evidence.is_accuracy else result.estimate,
        _negated(interval) if evidence.is_accuracy else interval,
        result.num_pairs,
        " ".join(filter(None, (sentence, evidence.note))),
    )


def _outcome(evidence: Evidence, finding: multiple.Finding) -> Outcome:
    if evidence.claimed == "worse":
        if finding.verdict == "worse":
            return "supported"
        return "contradicted" if finding.verdict in ("better", "as_good") else "undecided"
    if finding.shown is None:
        return "undecided"
    return "supported" if finding.shown == evidence.claimed else "contradicted"


def _negated(interval: Interval | None) -> Interval | None:
    return None if interval is None else Interval(-interval.high, -interval.low)


def _of_turn(evidence: TurnEvidence, p: float | None) -> Finding:
    turn = evidence.turn
    if p is None or turn is None:
        return _nothing(evidence.missing)
    sides = ((turn.before, turn.before_interval), (turn.after, turn.after_interval))
    effect, interval = min(sides, key=lambda side: abs(side[0]))
    return Finding(
        "supported" if p < SIGNIFICANCE else "undecided",
        "",
        effect,
        interval,
        evidence.num,
        f"Of {count(evidence.num, 'configuration')} at T ≥ {HIGH_T} the surest turn has "
        f"{probability(p)} by Holm over configurations and claims; the effect is the smaller of "
        f"its two sides. No trial can show that there is no turn, so this is never contradicted.",
    )
