"""The paper's claims, judged on trials of which it is known what they say."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from analysis.comparison.comparisons import Comparison
from analysis.presentation.report import REPORTS
from analysis.reports.claims.claims import CLAIMS, judged
from analysis.reports.claims.evidence import Evidence
from analysis.reports.claims.judging import Finding, judge_claims
from analysis.reports.discovery import load_reports
from analysis.runs.study_runs import Runs, StudyFacts
from analysis.statistics.differences import MethodDifference
from tests.helpers.fake_study import FakeTrial, runs_of

load_reports()


def _runs(trials: Sequence[tuple[FakeTrial, str]]) -> Runs:
    """Trials with the replay policy of each."""
    runs = runs_of(
        [replace(trial, number=n) for n, (trial, _) in enumerate(trials)], objectives=()
    )
    return replace(runs, trials=runs.trials.assign(**{"stream.replay": [p for _, p in trials]}))


def _arms(density: float, harm: float, policy: str = "full", t: int = 4) -> Runs:
    """Ten seeds of dense, and of APP with ``harm`` more of errors than its density brings."""
    made = []
    for seed in range(10):
        noise = 0.004 * (seed % 3)
        made += [
            (FakeTrial(0, "dense", t, 1.0, seed), policy),
            (FakeTrial(0, "app", t, density, seed, harm=harm + noise), policy),
        ]
    return _runs(made)


def _finding(runs: Runs, name: str) -> Finding:
    return next(finding for claim, finding in judged(runs).findings if claim.name == name)


@pytest.mark.parametrize(
    ("harm", "outcome", "verdict"),
    [
        (-0.05, "supported", "better"),
        (0.05, "contradicted", "worse"),
        (-0.011, "undecided", "as good"),
    ],
)
def test_a_claim_is_decided_by_the_sign_of_the_paired_difference(
    harm: float, outcome: str, verdict: str
) -> None:
    runs = _arms(0.366, harm)
    found = _finding(runs, "Accuracy at a third")
    assert (found.outcome, found.verdict) == (outcome, verdict)
    assert found.num == 10
    assert found.interval is not None
    assert found.effect in found.interval
    # As accuracy: what lowers the error raises the effect.
    assert found.effect is not None
    assert (found.effect > 0) == (harm < -0.02) or outcome == "undecided"
    assert _finding(runs, "APP against dense").outcome == outcome


def test_other_sizes_than_a_third_do_not_count_for_what_is_claimed_of_a_third() -> None:
    found = _finding(_arms(0.1, -0.05), "Accuracy at a third")
    assert (found.outcome, found.effect, found.num) == ("undecided", None, 0)


def test_app_is_compared_with_one_shot_at_equal_density_whoever_is_better() -> None:
    for harm, verdict in ((0.06, "supported"), (-0.06, "contradicted")):
        trials = []
        for seed in range(10):
            trials += [
                (FakeTrial(0, "app", 4, 0.2, seed), "full"),
                (FakeTrial(0, "one_shot", 4, 0.2, seed, harm=harm + 0.003 * (seed % 2)), "full"),
                (FakeTrial(0, "one_shot", 4, 0.5, seed, harm=-harm), "full"),
            ]
        assert _finding(_runs(trials), "APP against Anytime OSP").outcome == verdict


def test_failing_without_replay_is_judged_by_trials_without_replay_alone() -> None:
    assert _finding(_arms(0.05, 0.2), "No replay, few weights").num == 0
    found = _finding(_arms(0.05, 0.2, "none"), "No replay, few weights")
    assert (found.outcome, found.verdict) == ("supported", "worse")
    assert found.effect == pytest.approx(0.2 + 0.004 / 0.05 - 0.004, abs=0.01)
    for name in ("APP against dense", "APP against Anytime OSP", "Accuracy at a third"):
        assert _finding(_arms(0.05, 0.2, "none"), name).num == 0


def test_a_turn_of_the_gap_counts_in_long_streams_alone() -> None:
    short = _finding(_arms(0.366, 0.0, t=8), "Turns of the gap")
    assert (short.num, short.outcome) == (0, "undecided")
    # The made-up gap rises to megabatch 6 and falls to far below where it began.
    long = _finding(_arms(0.366, 0.0, t=30), "Turns of the gap")
    assert long.num == 2
    assert long.outcome == "supported"


def test_one_seed_decides_nothing() -> None:
    runs = _runs(
        [(FakeTrial(0, "dense", 4, 1.0), "full"), (FakeTrial(0, "app", 4, 0.366), "full")]
    )
    found = _finding(runs, "APP against dense")
    assert (found.outcome, found.interval, found.num) == ("undecided", None, 1)


def test_what_the_paper_gives_no_figure_for_stays_blank() -> None:
    stated = {claim.name: claim.stated for claim in CLAIMS}
    assert {name for name, text in stated.items() if text} == {
        "Accuracy at a third",
        "Gap at a third",
    }
    table = REPORTS.get("claims")().build(runs_of([])).tables[0]
    place = [column.name for column in table.columns].index("stated")
    assert [row[place] for row in table.rows] == [text or None for text in stated.values()]


def test_what_only_few_pairs_say_decides_nothing_however_alike_they_are() -> None:
    trials = []
    for seed in (0, 1):
        trials += [
            (FakeTrial(0, "dense", 4, 1.0, seed), "full"),
            (FakeTrial(0, "app", 4, 0.366, seed, harm=-0.0096), "full"),
        ]
    found = _finding(_runs(trials), "Accuracy at a third")
    assert found.effect == pytest.approx(1 / 360)  # an example fewer with either seed
    assert (found.outcome, found.verdict, found.interval) == ("undecided", "undecided", None)
    assert "2 pairs cannot decide" in found.words


def test_the_claims_share_the_five_percent() -> None:
    made = judged(_arms(0.366, -0.05))
    assert made.family == 3  # mean and final error, and the gap
    (said, *_) = REPORTS.get("claims")().build(_arms(0.366, -0.05)).sentences
    assert "3 have trials to be judged by" in said
    few = _arms(0.366, -0.05)
    few = replace(few, trials=few.trials[few.trials["seed"] < 6])
    assert {finding.outcome for _, finding in judged(few).findings} == {"undecided"}


def _null_study(rng: np.random.Generator) -> Runs:
    """Dense, one-shot and APP that differ by chance alone, with and without replay, ten seeds."""
    trials = []
    for seed in range(10):
        trials += [(FakeTrial(0, "dense", 4, 1.0, seed), "full")]
        trials += [(FakeTrial(0, name, 4, 0.366, seed), "full") for name in ("app", "one_shot")]
        trials += [(FakeTrial(0, "dense", 4, 1.0, seed), "none")]
        trials += [(FakeTrial(0, "app", 4, 0.05, seed), "none")]
    runs = _runs(trials)
    drawn = {
        name: 0.2 + rng.normal(0, 0.01, len(trials))
        for name in ("test_mean_error", "test_final_error", "generalization_gap")
    }
    return replace(runs, trials=runs.trials.assign(**drawn))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_where_nothing_differs_few_studies_claim_anything() -> None:
    rng = np.random.default_rng(0)
    studies = 100
    claimed = sum(
        any(_claims(finding) for _, finding in judged(_null_study(rng)).findings)
        for _ in range(studies)
    )
    # 5 of 100; more than 10 would be chance with a probability below 2 %.
    assert claimed <= 10


def _claims(finding: Finding) -> bool:
    """Whether it says that methods differ."""
    return finding.outcome == "supported" or finding.verdict in ("better", "worse")


def _null_evidence(rng: np.random.Generator) -> list[Evidence]:
    """Five claims of ten seeds, of which three are on the same pairs."""
    pairs = rng.normal(0, 0.01, (3, 10))
    every = [pairs[0], pairs[0] + rng.normal(0, 0.003, 10), pairs[0], pairs[1], pairs[2]]
    return [
        Evidence(
            "test_final_error",
            "worse" if place == 4 else "lower",
            Comparison("app", "dense", "", "", 4, MethodDifference((tuple(values),))),
            "",
        )
        for place, values in enumerate(every)
    ]


def test_of_equal_methods_few_sets_of_claims_say_that_any_differ() -> None:
    rng = np.random.default_rng(0)
    claimed = sum(
        any(map(_claims, judge_claims(_null_evidence(rng), StudyFacts("null"))[0]))
        for _ in range(400)
    )
    assert claimed / 400 <= 0.05
