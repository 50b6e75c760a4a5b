"""The study's answer, in plain sentences."""

from collections import Counter
from typing import TYPE_CHECKING

from analysis.comparison.comparisons import judged
from analysis.comparison.dense_baseline import DENSE, num_megabatches
from analysis.comparison.fresh_seeds import confirming
from analysis.comparison.guess import nothing_learned
from analysis.comparison.matches import Match, matches
from analysis.comparison.measure import Measure, measure_of
from analysis.comparison.methods import pairs
from analysis.page.small_study import mean_sentences
from analysis.presentation.against_dense import (
    SIZES,
    dense_sentences,
    matches_by_model,
    share_kept,
    trial_name,
)
from analysis.presentation.against_guess import nothing_learned_sentences
from analysis.presentation.method_differences import Standard, comparison_sentence
from analysis.presentation.no_choice import no_choice_sentence
from analysis.reports.confirmed.sentences import (
    confirmed_sentences,
    judged_trials,
    optimism_sentences,
)
from analysis.reports.waiting.report import policy_sentences
from analysis.statistics import summary
from analysis.wording import bounds, label, listing, percent, quantity
from study.constraints import TOLERANCE
from study.metrics import METRICS
from study.results import Outcome
from study.text import count, first_line
from study.tracking import names

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs

_MAX_METHODS = 3

_OUTCOMES = (
    (Outcome.COMPLETE, "finished"),
    (Outcome.EARLY_STOPPED, "stopped early"),
    (Outcome.ERROR, "failed"),
    (Outcome.INTERRUPTED, "interrupted"),
    (names.OUTCOME_RUNNING, "not ended yet"),
)


def answer(runs: "Runs") -> tuple[str, ...]:
    """What the study says, most useful first; always at least one sentence.

    That nothing was learned, where no network beats a guess. Else what was confirmed with
    fresh seeds, where that was done: the smallest configuration that is as good as dense at
    the margin, and what is open. Then when to retrain, where the study can tell. The rest is
    of the search, and concludes nothing about it: the smallest network that may be as good as
    dense at the T at which dense serves best (neither its service error nor its final error
    was found to be worse by the margin), the best at a third and a tenth of the size, as far
    as they are not among what was confirmed, the winner of a search for one objective or the
    means of a small study without search, what differences between methods show, and how many
    trials that rests on. Intervals take the n holdout examples as all there is behind a
    service error; being a mean of error rates of those examples it is known a little better
    than that. Where errors are of the test split nothing is chosen: there are the means and
    the planned comparisons alone.
    """
    if runs.complete.empty:
        return (_unfinished(runs), *_failures(runs))
    measure = measure_of(runs)
    nothing = nothing_learned(runs, measure)
    if nothing is not None:
        sentences = nothing_learned_sentences(runs, nothing)
        return (*sentences, _counts(runs), *_failures(runs), *_caution(runs, measure))
    found = matches(runs, measure)
    confirmed = confirmed_sentences(runs)
    if runs.study.confirms:  # whose best seed nobody asks for
        return (*confirmed, _counts(runs), *_failures(runs), *_caution(runs, measure))
    last = (_counts(runs), *_outside(runs), *_failures(runs), *_caution(runs, measure))
    if not measure.may_select:
        planned = (*mean_sentences(runs, measure), *_methods(runs, measure))
        return (*confirmed, no_choice_sentence(runs), *planned, *last)
    sentences = [*_winner(runs, measure), *mean_sentences(runs, measure)]
    judged = judged_trials(runs)
    may_win = _may_win(runs, found)
    for model, group in matches_by_model(may_win).items():
        lines = dense_sentences(group, measure, judged=judged)
        sentences += [model + sentence for sentence in lines]
    if not sentences and not judged:
        sentences += _best_served(runs, measure)
    optimism = optimism_sentences(runs)
    # Before the figures that it speaks of, or behind them as what is to be done about it.
    sentences = [*optimism, *sentences] if confirmed else [*sentences, *optimism]
    sentences += _methods(runs, measure)
    sentences += _without_baseline(runs, found, measure)
    return (*confirmed, *policy_sentences(runs), *sentences, *last)


def _may_win(runs: "Runs", found: list[Match]) -> list[Match]:
    """Those that break no constraint."""
    keys = set(runs.candidates["trial_key"])
    return [match for match in found if match.trial["trial_key"] in keys]


def _unfinished(runs: "Runs") -> str:
    if runs.trials.empty:
        return f"The study has no trial yet, so there is no answer yet.{_so_far(runs)}"
    return f"No trial has finished, so there is no answer yet: {_tally(runs)}.{_so_far(runs)}"


def _tally(runs: "Runs") -> str:
    tally = Counter(runs.trials["outcome"])
    known = [f"{tally.pop(name)} {words}" for name, words in _OUTCOMES if name in tally]
    return listing([*known, *(f"{number} {name}" for name, number in tally.items())])


def _counts(runs: "Runs") -> str:
    return f"{count(len(runs.trials), 'trial')}: {_tally(runs)}.{_so_far(runs)}"


def _limits(runs: "Runs") -> str:
    every = (limit for part in runs.parts or (runs,) for limit in part.study.constraints)
    return listing(list(dict.fromkeys(map(str, every))))


def _outside(runs: "Runs") -> list[str]:
    broken = len(runs.trials) - len(runs.candidates)
    if not broken:
        return []
    return [f"{count(broken, 'finished trial')} broke {_limits(runs)} and cannot be the best."]


def _so_far(runs: "Runs") -> str:
    if runs.study.outcome == Outcome.COMPLETE:
        return ""
    command = f"app-study resume {runs.study.name} continues it"
    how = f"; if it was cut off, {command}" if runs.study.running else f" ({command})"
    return f" The study has not finished: these are its results so far{how}."


def _failures(runs: "Runs") -> list[str]:
    failed = runs.trials[(runs.trials["outcome"] == Outcome.ERROR) & (runs.trials["reason"] != "")]
    if failed.empty:
        return []
    reason, times = Counter(failed["reason"]).most_common(1)[0]
    often = f" ({times} times)" if times > 1 else ""
    return [f"Most common failure{often}: {first_line(reason)}"]


def _caution(runs: "Runs", measure: Measure) -> list[str]:
    sentences = []
    if measure.num_examples is not None and not measure.may_select:
        sentences.append(
            f"Errors are measured on {measure.num_examples:,} test examples; intervals in "
            f"brackets are 95 % ones over seeds."
        )
    elif measure.num_examples is not None:
        sentences.append(
            f"Errors are measured on {measure.num_examples:,} {measure.split} examples; intervals "
            f"in brackets are 95 % binomial ones for that many{_over_seeds(runs)}."
        )
    else:
        sentences.append(
            f"The size of the {measure.split} split is not recorded, so there are no intervals "
            f"and nothing is compared with dense."
        )
    if any(name in METRICS and METRICS[name].is_test for name in runs.searched_for):
        sentences.append(
            "Warning: this study selected on the test set, so its test errors are no longer an "
            "unbiased estimate."
        )
    return sentences


def _over_seeds(runs: "Runs") -> str:
    return "; over seeds, Student's" if confirming(runs) else ""


def _winner(runs: "Runs", measure: Measure) -> list[str]:
    """The best trial of a search for a single objective."""
    if len(runs.study.objectives) != 1:
        return []
    name = runs.study.objectives[0]
    if name not in METRICS or name not in runs.trials:
        return [f"The objective {name} is no metric that this report knows."]
    best = summary.best(runs.candidates, name)
    if best is None:
        limits = _limits(runs)
        return [
            f"No finished trial has a {label(name)}{f' and keeps {limits}' if limits else ''}."
        ]
    extreme = "lowest" if METRICS[name].is_minimized else "highest"
    value = quantity(best[name], name)
    interval = measure.interval(best[name]) if name in (measure.service, measure.final) else None
    value += f" {bounds(interval)}" if interval else ""
    return [f"The {extreme} {label(name)}: {value}, with {share_kept(best)} ({trial_name(best)})."]


def _methods(runs: "Runs", measure: Measure) -> list[str]:
    """Which pruned schedule is better, where two were run at equal density with paired seeds."""
    pooled = pairs(runs, measure.service).pooled()
    standard = Standard.of(runs.study, measure.service, len(pooled))
    return [
        comparison_sentence(comparison, finding, standard)
        for comparison, finding in judged(pooled, runs.study, measure.service)
        if comparison.b != DENSE
    ][:_MAX_METHODS]


def _without_baseline(runs: "Runs", found: list[Match], measure: Measure) -> list[str]:
    if measure.num_examples is None:
        return []
    matched = {match.trial["trial_key"] for match in found}
    pruned = runs.complete[runs.complete["method"] != DENSE]
    alone = pruned[~pruned["trial_key"].isin(list(matched))]
    if alone.empty:
        return []
    missing = sorted({num_megabatches(trial) for _, trial in alone.iterrows()})
    return [
        f"{count(len(alone), 'finished pruned trial')} could not be compared: no dense trial "
        f"has finished with the same model, data and number of examples at "
        f"T = {listing([str(t) for t in missing])}."
    ]


def _best_served(runs: "Runs", measure: Measure) -> list[str]:
    best = summary.best(runs.candidates, measure.service)
    if best is None:
        return ["No finished trial has a service error."]
    sentences = [
        f"The lowest service error: {percent(best[measure.service])}, with {share_kept(best)} "
        f"({trial_name(best)})."
    ]
    for limit, words in SIZES:
        limits = {"final_density": limit * (1 + TOLERANCE)}
        small = summary.best(runs.candidates, measure.service, at_most=limits)
        if small is not None:
            sentences.append(
                f"The best with at most {words} of the weights: service error "
                f"{percent(small[measure.service])}, with {share_kept(small)} "
                f"({trial_name(small)})."
            )
    return sentences
