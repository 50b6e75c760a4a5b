"""The paper's claims, judged on trials of which it is known what they say."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from analysis.presentation.report import REPORTS
from analysis.reports.claims.claims import CLAIMS, judged
from analysis.reports.claims.evidence import Finding
from analysis.reports.discovery import load_reports
from analysis.runs.study_runs import Runs
from tests.helpers.fake_study import FakeTrial, runs_of

load_reports()


def _runs(trials: Sequence[tuple[FakeTrial, str]]) -> Runs:
    """Trials with the replay policy of each."""
    runs = runs_of(
        [replace(trial, number=n) for n, (trial, _) in enumerate(trials)], objectives=()
    )
    return replace(runs, trials=runs.trials.assign(**{"stream.replay": [p for _, p in trials]}))


def _arms(density: float, harm: float, policy: str = "full", t: int = 4) -> Runs:
    """Five seeds of dense, and of APP with ``harm`` more of errors than its density brings."""
    made = []
    for seed in range(5):
        noise = 0.004 * (seed % 3)
        made += [
            (FakeTrial(0, "dense", t, 1.0, seed), policy),
            (FakeTrial(0, "app", t, density, seed, harm=harm + noise), policy),
        ]
    return _runs(made)


def _finding(runs: Runs, name: str) -> Finding:
    return next(finding for claim, finding in judged(runs) if claim.name == name)


@pytest.mark.parametrize(
    ("harm", "verdict"), [(-0.05, "supported"), (0.05, "contradicted"), (-0.01, "undecided")]
)
def test_a_claim_is_decided_by_the_interval_of_the_paired_difference(
    harm: float, verdict: str
) -> None:
    runs = _arms(0.366, harm)
    found = _finding(runs, "Accuracy at a third")
    assert found.verdict == verdict
    assert found.num == 5
    assert found.interval is not None
    assert found.effect in found.interval
    # As accuracy: what lowers the error raises the effect.
    assert found.effect is not None
    assert (found.effect > 0) == (harm < -0.01) or verdict == "undecided"
    assert _finding(runs, "APP against dense").verdict == verdict


def test_other_sizes_than_a_third_do_not_count_for_what_is_claimed_of_a_third() -> None:
    found = _finding(_arms(0.1, -0.05), "Accuracy at a third")
    assert (found.verdict, found.effect, found.num) == ("undecided", None, 0)


def test_app_is_compared_with_one_shot_at_equal_density_whoever_is_better() -> None:
    for harm, verdict in ((0.06, "supported"), (-0.06, "contradicted")):
        trials = []
        for seed in range(5):
            trials += [
                (FakeTrial(0, "app", 4, 0.2, seed), "full"),
                (FakeTrial(0, "one_shot", 4, 0.2, seed, harm=harm + 0.003 * (seed % 2)), "full"),
                (FakeTrial(0, "one_shot", 4, 0.5, seed, harm=-harm), "full"),
            ]
        assert _finding(_runs(trials), "APP against Anytime OSP").verdict == verdict


def test_failing_without_replay_is_judged_by_trials_without_replay_alone() -> None:
    assert _finding(_arms(0.05, 0.2), "No replay, few weights").num == 0
    found = _finding(_arms(0.05, 0.2, "none"), "No replay, few weights")
    assert found.verdict == "supported"
    assert found.effect == pytest.approx(0.2 + 0.004 / 0.05 - 0.004, abs=0.01)
    for name in ("APP against dense", "APP against Anytime OSP", "Accuracy at a third"):
        assert _finding(_arms(0.05, 0.2, "none"), name).num == 0


def test_the_size_is_what_was_measured() -> None:
    assert _finding(_arms(0.366, 0.0), "Size").verdict == "supported"
    assert _finding(_arms(0.05, 0.0), "Size").verdict == "undecided"
    # Aimed at a third, and missed.
    runs = _arms(0.024, 0.0)
    missed = replace(runs, trials=runs.trials.assign(**{"pruning.tau": 4.5}))
    assert _finding(missed, "Size").verdict == "contradicted"


def test_a_turn_of_the_gap_counts_in_long_streams_alone() -> None:
    short = _finding(_arms(0.366, 0.0, t=8), "Turns of the gap")
    assert (short.num, short.verdict) == (0, "undecided")
    # The made-up gap rises to megabatch 6 and falls to far below where it began.
    long = _finding(_arms(0.366, 0.0, t=30), "Turns of the gap")
    assert long.num == 2
    assert long.verdict == "supported"


def test_one_seed_decides_nothing() -> None:
    runs = _runs(
        [(FakeTrial(0, "dense", 4, 1.0), "full"), (FakeTrial(0, "app", 4, 0.366), "full")]
    )
    found = _finding(runs, "APP against dense")
    assert (found.verdict, found.interval, found.num) == ("undecided", None, 1)


def test_what_the_paper_gives_no_figure_for_stays_blank() -> None:
    stated = {claim.name: claim.stated for claim in CLAIMS}
    assert {name for name, text in stated.items() if text} == {
        "Accuracy at a third",
        "Gap at a third",
        "Size",
    }
    table = REPORTS.get("claims")().build(runs_of([])).tables[0]
    place = [column.name for column in table.columns].index("stated")
    assert [row[place] for row in table.rows] == [text or None for text in stated.values()]
