"""The paper's claims, each with what the trials at hand say of it.

Sources: the abstract of Misra et al., arXiv 2204.01640, and the limits that its authors name. What
no source gives stays blank.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.reports.claims.evidence import (
    Evidence,
    TurnEvidence,
    accuracy,
    against_dense,
    against_one_shot,
    gap,
    gap_turns,
    without_replay,
)
from analysis.reports.claims.judging import Finding, judge_claims

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs


@dataclass(frozen=True)
class Claim:
    """A claim of the paper.

    Attributes:
        name: Short, for tables.
        says: What the paper says.
        stated: The figure that it states, empty where it states none.
        source: Where.
        evidence: What the trials have to say of it.
    """

    name: str
    says: str
    stated: str
    source: str
    evidence: "Callable[[Runs], Evidence | TurnEvidence]"


@dataclass(frozen=True)
class Judged:
    """The claims with what the trials say of each, judged together.

    Attributes:
        findings: Every claim with its finding.
        evidence: Of each.
        family: How many share the 5 %: those that have trials.
    """

    findings: tuple[tuple[Claim, Finding], ...]
    evidence: tuple[Evidence | TurnEvidence, ...]
    family: int


def judged(runs: "Runs") -> Judged:
    """Every claim with its finding."""
    evidence = tuple(claim.evidence(runs) for claim in CLAIMS)
    findings, family = judge_claims(evidence, runs.study)
    return Judged(tuple(zip(CLAIMS, findings, strict=True)), evidence, family)


_ABSTRACT = "abstract"
_FEW_SHOT = "few-shot Restricted ImageNet"

CLAIMS: Sequence[Claim] = (
    Claim(
        "APP against dense",
        "APP significantly outperforms dense, on several networks, data sets and streams "
        "(here: cumulative errors, at a third of the weights).",
        "",
        _ABSTRACT,
        against_dense,
    ),
    Claim(
        "APP against Anytime OSP",
        "APP significantly outperforms pruning once, at the start (here: cumulative errors, at "
        "equal density).",
        "",
        _ABSTRACT,
        against_one_shot,
    ),
    Claim(
        "Accuracy at a third",
        f"APP is more accurate than dense ({_FEW_SHOT}).",
        "about +7 %",
        _ABSTRACT,
        accuracy,
    ),
    Claim(
        "Gap at a third",
        f"APP's generalization gap is smaller than dense's ({_FEW_SHOT}).",
        "about −22 %",
        _ABSTRACT,
        gap,
    ),
    Claim(
        "Turns of the gap",
        "The generalization gap changes non-monotonically in streams of many megabatches.",
        "",
        _ABSTRACT,
        gap_turns,
    ),
    Claim(
        "No replay, few weights",
        "Without replay, high sparsity fails.",
        "",
        "named by the authors as a limit",
        without_replay,
    ),
)
