"""When to retrain, in sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.comparison.dense_baseline import DENSE
from analysis.comparison.methods import method_names
from analysis.presentation.bounded import bounded
from analysis.reports.waiting.judging import Answer, JudgedPolicy, answer
from analysis.reports.waiting.policies import Exactly, largest_set, spans
from analysis.reports.waiting.replay import Configuration, configurations
from analysis.runs.cache import cached
from analysis.statistics.decidable import LEVEL
from analysis.statistics.verdicts import FEWEST_SEEDS
from analysis.wording import bounds, listing, margin_words, percent, size
from study.text import count

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs


@dataclass(frozen=True, eq=False)
class Waiting:
    """What a study's streams say of waiting.

    Attributes:
        found: The configurations that are replayed, of more than one megabatch.
        names: What each is called.
        answers: What each says.
        reasons: Why other trials are not replayed.
        is_short: Whether there are streams, and all have a single megabatch.
    """

    found: tuple[Configuration, ...]
    names: tuple[str, ...]
    answers: tuple[Answer, ...]
    reasons: tuple[str, ...]
    is_short: bool


@cached
def waiting(runs: "Runs", budget: float) -> Waiting:
    """Every configuration's answer; the configurations share the 5 %.

    Args:
        runs: The study.
        budget: The largest share of compute that a policy may take.
    """
    found, reasons = configurations(runs)
    long = tuple(one for one in found if one.streams[0].num_megabatches > 1)
    level = LEVEL / max(len(long), 1)
    answers = tuple(
        answer(one, margin=runs.study.margin, level=level, budget=budget) for one in long
    )
    return Waiting(
        long, tuple(_names(runs, long)), answers, tuple(reasons), bool(found) and not long
    )


def policies_in_words(made: Waiting, runs: "Runs", budget: float) -> list[str]:
    """What is shown of each configuration, and what to do."""
    sentences = []
    for name, one, found in zip(made.names, made.found, made.answers, strict=True):
        about = name if len(made.found) > 1 else ""
        sentences += _sentences(about, one, found, runs, budget)
    return sentences


def _names(runs: "Runs", found: Sequence[Configuration]) -> list[str]:
    methods = method_names(runs.complete)
    made = []
    for one in found:
        first = one.trials.iloc[0]
        name = str(methods[one.trials.index[0]])
        if first["method"] != DENSE:
            name += f", {size(first['density'])} of the weights"
        models = runs.complete["architecture"].nunique()
        made.append(f"{name}, {first['architecture']}" if models > 1 else name)
    if len(set(made)) < len(made):
        made = [f"{name}, from trial {one.trials.iloc[0]['number']}" for name, one in
                zip(made, found, strict=True)]  # fmt: skip
    return made


def how_it_is_known(made: Waiting) -> str:
    """From what it was learned without training."""
    groups: dict[tuple[int, int, int], list[int]] = {}
    for found, one in zip(made.found, made.answers, strict=True):
        key = (found.streams[0].num_megabatches, len(found.streams), one.num_choosing)
        groups.setdefault(key, []).append(one.num_policies)
    each = []
    for (length, seeds, choosing), numbers in sorted(groups.items()):
        where = f"At T = {length} with {count(seeds, 'seed')}: " if len(groups) > 1 else ""
        each.append(f"{where}{_replayed(length, numbers)} {_roles(seeds, choosing)}")
    return (
        f"How that is known: each model here was trained from nothing on all that had arrived, so "
        f"the study holds every model that any policy of waiting would have served. "
        f"{' '.join(each)} Arrivals are counted from 0."
    )


def _replayed(num_megabatches: int, numbers: Sequence[int]) -> str:
    """How many policies of each configuration, and which."""
    low, high = min(numbers), max(numbers)
    tried = largest_set(num_megabatches)
    whole = tried == num_megabatches
    sets = "any set of arrivals" if whole else f"any set of at most {count(tried, 'arrival')}"
    return (
        f"{low:,}{f' to {high:,}' if high > low else ''} policies were replayed without training: "
        f"{sets}, every so many, by growth of the data, and by the validation error."
    )


def _roles(num_seeds: int, num_choosing: int) -> str:
    if not num_choosing:
        return "Half of the holdout chose among them, the other half judges."
    return (
        f"{count(num_choosing, 'seed').capitalize()} and half of the holdout chose among them; "
        f"the other {count(num_seeds - num_choosing, 'seed')} and the other half judge."
    )


def _sentences(
    name: str, found: Configuration, made: Answer, runs: "Runs", budget: float
) -> list[str]:
    about = f"{name}: " if name else ""
    limit = f" with at most {size(budget)} of the compute" if budget < 1 else ""
    if not made.candidates:
        return [
            f"{about}no policy{limit} came within {margin_words(runs.study.margin)} of retraining "
            f"at every arrival where policies are chosen, so none was judged.{_nearest(made)}"
        ]
    named = made.best or made.candidates[0]
    lines = [f"{about}{_verdict(named, made, limit)}"]
    if made.best is not None:
        lines.append(_remedy_in_file(made.best))
        cheaper = [one for one in made.candidates if one.weighed.compute < named.weighed.compute]
        lines += [f"{about}{_cheaper(one)}" for one in cheaper[:1]]
        return lines
    obstacle = named.judgement.obstacle
    if obstacle == "seeds":
        lines.append(
            f"To settle that: at least {FEWEST_SEEDS + 1} seeds, one to choose and "
            f"{FEWEST_SEEDS} to judge, of which there are {len(found.streams)}."
        )
    elif obstacle == "examples":
        needed = 2 * named.judgement.examples_needed()
        lines.append(
            f"To settle that: about {needed:,} holdout examples (data.holdout_fraction), whatever "
            f"the seeds, or a larger objective.margin."
        )
    elif obstacle == "variation":
        lines.append(
            "To settle that: more seeds, more holdout examples (data.holdout_fraction), or a "
            "larger objective.margin."
        )
    return lines


def _verdict(one: JudgedPolicy, made: Answer, limit: str) -> str:
    verdict = one.judgement.verdict
    opening = {"worse": "Not as good. ", "undecided": "Undecided. "}.get(verdict, "")
    ending = {
        "better": ", and is better than retraining at every arrival",
        "as_good": ", and is as good as retraining at every arrival",
        "worse": ", and is worse than retraining at every arrival",
        "undecided": "; whether that is as good as retraining at every arrival is open",
    }[verdict]
    seeds = f"over {count(one.judgement.num_seeds, 'seed')} and"
    evidence = seeds if made.num_choosing else "for this one seed, not the configuration,"
    among = f" Among policies{limit}." if limit else ""
    return (
        f"{opening}{_keeps(one)}{ending}: service error {percent(one.weighed.service)} against "
        f"{percent(made.every.weighed.service)} "
        f"({bounded(one.judgement.service, one.judgement)}), {_final(one, made.every)}. The "
        f"margin is {margin_words(one.judgement.margin)}; {evidence} on "
        f"{one.judgement.num_examples:,} holdout examples that did not choose it.{among}"
    )


def _final(one: JudgedPolicy, every: JudgedPolicy) -> str:
    if one.weighed.ends_as(every.weighed):
        return "and the last model is the same"
    return (
        f"final error {percent(one.weighed.final)} against {percent(every.weighed.final)} "
        f"({bounded(one.judgement.final, one.judgement)})"
    )


def _keeps(one: JudgedPolicy) -> str:
    """``Retraining at 3 arrivals (0, 4 and 9) keeps 96 % [94, 98] of the service for …``."""
    kept, interval = one.kept
    range_of = f" {bounds(interval)}" if interval else ""
    return (
        f"{_retraining(one)} keeps {percent(kept)}{range_of} of the service for "
        f"{size(one.weighed.compute)} of the compute"
    )


def _retraining(one: JudgedPolicy) -> str:
    total = one.replays[0].holdout_errors
    policy = one.weighed.policy
    if isinstance(policy, Exactly):
        places = listing([str(k) for k in policy.at])
        return f"Retraining at {len(policy.at)} of {len(total)} arrivals ({places})"
    return f"Retraining {policy.words} ({spans(one.weighed.sets)} of {len(total)})"


def _remedy_in_file(one: JudgedPolicy) -> str:
    sets = set(one.weighed.sets)
    if len(sets) == 1:
        at = listing([str(k) for k in next(iter(sets))]).replace(" and", ",")
        return f"To do so with a stream like this one: training.at: [{at}] in the study file."
    return (
        f"To do so: retrain {one.weighed.policy.words}; which arrivals these are depends on the "
        f"stream."
    )


def _cheaper(one: JudgedPolicy) -> str:
    verdict = {"worse": "it is worse", "undecided": "that it is as good is not shown"}
    why = verdict.get(one.judgement.verdict, "a dearer one is not shown to be as good")
    return f"Cheaper still: {_keeps(one)[0].lower()}{_keeps(one)[1:]}, but {why}."


def _nearest(made: Answer) -> str:
    if made.nearest is None:
        return ""
    keeps = _keeps(made.nearest)
    return f" The nearest there: {keeps[0].lower()}{keeps[1:]}."


def nothing_in_words(made: Waiting) -> list[str]:
    """Why no policy can be replayed, and what such a study takes."""
    if made.is_short:
        return ["The stream has one megabatch, so there is nothing to wait for."]
    if not made.reasons:
        return ["No trial has finished, so no policy can be replayed."]
    return [
        f"No policy of waiting can be replayed here: {'; '.join(made.reasons)}.",
        "A study for this question trains every model from nothing on all that has arrived: "
        "training.start: scratch, training.mask: restart, training.samples_per_model, "
        "stream.replay: full. An example is cifar10_retraining.yaml in search_spaces.",
    ]
