"""What trials say of a claim: effects within pairs, with intervals and a verdict."""

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from analysis.comparison.dense_baseline import DENSE
from analysis.comparison.methods import pairs
from analysis.comparison.stream_lengths import largest_turns
from analysis.runs.frames import GAP, T
from analysis.statistics.paired import SIGNIFICANCE, PairedDifference, paired_difference
from analysis.statistics.summary import Interval
from analysis.wording import bounds, percent, points, probability, size
from study.text import count

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

Verdict = Literal["supported", "contradicted", "undecided"]

APP = "app"
ONE_SHOT = "one_shot"
REPLAY = "stream.replay"

# "About a third": 0.8^4.5 = 0.366 is what the paper's setting gives.
THIRD = (0.30, 0.40)
# Ours: the paper's long streams have 100 and 120 megabatches, its moderate ones up to 10.
HIGH_T = 30
# Ours: the authors give no figure for "high sparsity".
HIGH_SPARSITY = 0.1


@dataclass(frozen=True)
class Finding:
    """What the trials say of a claim.

    Attributes:
        verdict: By the 95 % interval of the effect.
        effect: In fractions; None where nothing could be measured.
        interval: Its 95 % interval; None for fewer than two pairs.
        num: Pairs of trials, or configurations, that it rests on.
        words: The effect in its own unit, and why the verdict.
    """

    verdict: Verdict
    effect: float | None
    interval: Interval | None
    num: int
    words: str


def _with(runs: "Runs", keep: "pd.Series") -> "Runs":
    return dataclasses.replace(runs, trials=runs.trials[keep.astype(bool)])


def _replayed(runs: "Runs", policy: str) -> "Runs":
    """The trials with this replay policy; the paper's is ``full``, also where none is recorded."""
    if REPLAY not in runs.trials:
        return runs if policy == "full" else _with(runs, runs.trials["number"] < 0)
    return _with(runs, runs.trials[REPLAY].fillna("full").map(str) == policy)


def _a_third(runs: "Runs") -> "Runs":
    density = runs.trials["density"]
    return _with(runs, (runs.trials["method"] == DENSE) | density.between(*THIRD))


def _metric(runs: "Runs", name: str) -> str:
    """On the test split, as in the paper, where it was measured."""
    test = f"test_{name}"
    return test if test in runs.trials and runs.trials[test].notna().any() else name


def _app_against(runs: "Runs", other: str, metric: str) -> PairedDifference | None:
    """Differences APP − ``other`` within pairs of equal seed, setting and density."""
    frame = pairs(runs, metric).frame
    strata = []
    for (a, b), sign in (((APP, other), 1), ((other, APP), -1)):
        mine = frame[_is(frame["a"], a) & _is(frame["b"], b)]
        for _, group in mine.groupby(["a", "b", "setting", "kept"], sort=False):
            strata.append([sign * float(value) for value in group["difference"]])
    return paired_difference(strata) if strata else None


def _is(arm: "pd.Series", method: str) -> "pd.Series":
    """Whether an arm is of this schedule, whatever its criterion."""
    return arm.astype(str).str.fullmatch(f"{method}(,.*)?")


def _verdict(result: PairedDifference, *, claimed_lower: bool) -> Verdict:
    if result.interval is None:
        return "undecided"
    if result.interval.high < 0:
        return "supported" if claimed_lower else "contradicted"
    if result.interval.low > 0:
        return "contradicted" if claimed_lower else "supported"
    return "undecided"


def _nothing(words: str) -> Finding:
    return Finding("undecided", None, None, 0, words)


def _found(
    result: PairedDifference | None, what: str, missing: str, *, claimed_lower: bool = True
) -> Finding:
    if result is None:
        return _nothing(missing)
    way = "lower" if result.estimate < 0 else "higher"
    interval = f", difference {bounds(result.interval)}" if result.interval else ""
    return Finding(
        _verdict(result, claimed_lower=claimed_lower),
        result.estimate,
        result.interval,
        result.num_pairs,
        f"{what} is {points(result.estimate)} {way}{interval}, in "
        f"{count(result.num_pairs, 'pair')} of one seed.",
    )


_AT_A_THIRD = f", APP keeping {size(THIRD[0])} to {size(THIRD[1])} of the weights"
_NO_PAIRS = "No finished pair of {a} and {b} that differ in the method alone{extra}."


def against_dense(runs: "Runs") -> Finding:
    """Mean error of APP at a third of the weights against dense."""
    metric = _metric(runs, "mean_error")
    result = _app_against(_a_third(_replayed(runs, "full")), DENSE, metric)
    return _found(result, _name(metric), _NO_PAIRS.format(a=APP, b=DENSE, extra=_AT_A_THIRD))


def against_one_shot(runs: "Runs") -> Finding:
    """Mean error of APP against pruning once, at equal density."""
    metric = _metric(runs, "mean_error")
    result = _app_against(_replayed(runs, "full"), ONE_SHOT, metric)
    missing = _NO_PAIRS.format(a=APP, b=ONE_SHOT, extra=" at equal density")
    return _found(result, _name(metric), missing)


def _name(metric: str) -> str:
    return metric.replace("_", " ").capitalize()


def accuracy(runs: "Runs") -> Finding:
    """Accuracy of the last model: APP at a third of the weights against dense."""
    metric = _metric(runs, "final_error")
    result = _app_against(_a_third(_replayed(runs, "full")), DENSE, metric)
    missing = _NO_PAIRS.format(a=APP, b=DENSE, extra=_AT_A_THIRD)
    found = _found(result, _name(metric), missing)
    if result is None:
        return found
    # As accuracy: what is more is better.
    return dataclasses.replace(
        found,
        effect=-result.estimate,
        interval=_negated(result.interval),
        words=f"{found.words} The source does not say whether 7 % are points of accuracy or a "
        f"share of it; the verdict is on the sign.",
    )


def _negated(interval: Interval | None) -> Interval | None:
    return None if interval is None else Interval(-interval.high, -interval.low)


def gap(runs: "Runs") -> Finding:
    """Generalization gap of APP at a third of the weights against dense."""
    chosen = _a_third(_replayed(runs, "full"))
    result = _app_against(chosen, DENSE, GAP)
    missing = _NO_PAIRS.format(a=APP, b=DENSE, extra=_AT_A_THIRD)
    found = _found(result, "The gap", missing)
    dense = chosen.complete.loc[chosen.complete["method"] == DENSE, GAP].mean()
    if result is None or not dense > 0:
        return found
    return dataclasses.replace(
        found, words=f"{found.words} That is {percent(abs(result.estimate) / dense)} of dense's."
    )


def network_size(runs: "Runs") -> Finding:
    """How many of the weights APP kept where a third was asked for."""
    app = runs.complete[runs.complete["method"] == APP]
    tau = app["pruning.tau"].map(str) if "pruning.tau" in app else app["method"]
    app = app[tau.isin(["4.5"]) | app["density"].between(*THIRD)]
    if app.empty:
        return _nothing("No finished APP trial aimed at a third of the weights (τ = 4.5).")
    low, high = float(app["density"].min()), float(app["density"].max())
    holds = THIRD[0] <= low and high <= THIRD[1]
    return Finding(
        "supported" if holds else "contradicted",
        float(app["density"].mean()),
        Interval(low, high),
        len(app),
        f"Of {count(len(app), 'APP trial')} the smallest kept {size(low)} of the prunable "
        f"weights, the largest {size(high)}, as measured; the interval is that range.",
    )


def gap_turns(runs: "Runs") -> Finding:
    """Whether the generalization gap turns in long streams."""
    long = _with(runs, runs.trials[T].fillna(0) >= HIGH_T)
    found = largest_turns(long, GAP)
    if not found:
        return _nothing(f"No configuration has finished with three seeds at T ≥ {HIGH_T}.")
    _, turn, p = min(found, key=lambda item: item[2])
    smaller = min((turn.before, turn.before_interval), (turn.after, turn.after_interval), key=_far)
    return Finding(
        "supported" if p < SIGNIFICANCE else "undecided",
        smaller[0],
        smaller[1],
        len(found),
        f"Of {count(len(found), 'configuration')} at T ≥ {HIGH_T} the surest turn has "
        f"{probability(p)} by Holm; the effect is the smaller of its two sides. No trial can "
        f"show that there is no turn, so this is never contradicted.",
    )


def _far(side: tuple[float, Interval]) -> float:
    return abs(side[0])


def without_replay(runs: "Runs") -> Finding:
    """Error of APP with few weights against dense, without replay."""
    metric = _metric(runs, "final_error")

    def sparse(policy: str) -> PairedDifference | None:
        chosen = _replayed(runs, policy)
        few = (chosen.trials["method"] == DENSE) | (chosen.trials["density"] <= HIGH_SPARSITY)
        return _app_against(_with(chosen, few), DENSE, metric)

    extra = f", without replay, APP keeping {size(HIGH_SPARSITY)} or fewer of the weights"
    missing = _NO_PAIRS.format(a=APP, b=DENSE, extra=extra)
    found = _found(sparse("none"), _name(metric), missing, claimed_lower=False)
    full = sparse("full")
    if found.effect is None or full is None:
        return found
    interval = f" {bounds(full.interval)}" if full.interval else ""
    return dataclasses.replace(
        found,
        words=f"{found.words} With full replay the difference is {100 * full.estimate:+.1f} points"
        f"{interval}.",
    )
