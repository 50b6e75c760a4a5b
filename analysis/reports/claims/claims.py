"""The paper's claims, each with what the trials at hand say of it.

Sources: the abstract of Misra et al., arXiv 2204.01640, and the limits that its authors name. What
no source gives stays blank.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.reports.claims.evidence import (
    Finding,
    accuracy,
    against_dense,
    against_one_shot,
    gap,
    gap_turns,
    network_size,
    without_replay,
)

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
        judge: What the trials say of it.
    """

    name: str
    says: str
    stated: str
    source: str
    judge: "Callable[[Runs], Finding]"


def judged(runs: "Runs") -> list[tuple[Claim, Finding]]:
    """Every claim with its finding."""
    return [(claim, claim.judge(runs)) for claim in CLAIMS]


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
        "Size",
        f"APP's network is a third of the dense one ({_FEW_SHOT}).",
        "about 1/3",
        _ABSTRACT,
        network_size,
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
