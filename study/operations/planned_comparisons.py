"""Which comparisons of methods a study without search will make, and whether its seeds decide."""

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from study.comparisons import HOW_MUCH, METHOD_SECTIONS, NAMED, PLACES_OF_DATA, pairs_needed
from study.config.study_config import StudyConfig
from study.config.trial import TrialConfig
from study.text import count
from study.trial.titles import method_of

DENSE = "dense"
_SEEDS = ("seed", "data.seed")
_APART = (*_SEEDS, *PLACES_OF_DATA)
# What the reference code prunes to is another density than the one it is given.
_SIZE = (*sorted(HOW_MUCH), "pruning.reference_compat")


@dataclass(frozen=True)
class _Arm:
    """A trial as comparisons see it: a pair is equal in setting and seed, and in size or dense."""

    method: str
    size: Hashable
    setting: Hashable
    seed: Hashable


def planned_pairs(study: StudyConfig) -> list[int]:
    """How many pairs each comparison of the ``methods`` report will have, if all trials finish.

    Two pruned methods make one comparison over all settings and densities; a pruned method and
    dense make one at each density. A single pair is none. Nothing of a search, which does not know
    its trials beforehand.
    """
    if study.search is not None or study.confirms is not None:
        return []
    arms = _arms([study.compose(point) for point in study.points])
    found: dict[Hashable, int] = {}
    by_place: dict[Hashable, list[_Arm]] = {}
    for arm in arms:
        by_place.setdefault((arm.setting, arm.seed), []).append(arm)
    for own in by_place.values():
        for a, b in itertools.combinations(own, 2):
            key = _comparison(a, b)
            if key is not None:
                found[key] = found.get(key, 0) + 1
    return [number for number in found.values() if number > 1]


def _arms(configs: Sequence[TrialConfig]) -> list[_Arm]:
    """Each distinct trial; dense once, whatever its pruning settings, which do nothing to it."""
    trials = [config.flat() for config in configs]
    methods = [method_of(config.to_dict()) for config in configs]
    pruned = [trial for trial, method in zip(trials, methods, strict=True) if method != DENSE]
    named = [
        path
        for path in dict.fromkeys(path for trial in pruned for path in trial)
        if path.startswith(METHOD_SECTIONS)
        and path not in HOW_MUCH | NAMED
        and len({str(trial.get(path)) for trial in pruned}) > 1
    ]
    made = []
    for trial, method in zip(trials, methods, strict=True):
        is_dense = method == DENSE
        varied = () if is_dense else tuple(str(trial.get(path)) for path in named)
        made.append(
            _Arm(
                method=", ".join((method, *varied)),
                size="" if is_dense else tuple(str(trial.get(path)) for path in _SIZE),
                setting=tuple(
                    (path, str(value))
                    for path, value in sorted(trial.items())
                    if not path.startswith(METHOD_SECTIONS) and path not in _APART
                ),
                seed=tuple(trial.get(path) for path in _SEEDS),
            )
        )
    return list(dict.fromkeys(made))


def _comparison(a: _Arm, b: _Arm) -> Hashable | None:
    """What a pair belongs to; None where the two are no pair."""
    if a.method == b.method:
        return None
    if DENSE in (a.method, b.method):
        pruned = b if a.method == DENSE else a
        return (pruned.method, DENSE, pruned.size)
    return frozenset((a.method, b.method)) if a.size == b.size else None


def undecidable(study: StudyConfig) -> str | None:
    """That some comparisons cannot be decided whatever comes out; None where all can."""
    pairs = planned_pairs(study)
    needed = pairs_needed(len(pairs)) if pairs else 0
    short = [number for number in pairs if number < needed]
    if not short:
        return None
    fewest, most = min(short), max(short)
    has = str(fewest) if fewest == most else f"{fewest} to {most}"
    which = "" if len(short) == len(pairs) else f" (so few have {len(short)} of them)"
    return (
        f"{has} pairs cannot decide {count(len(pairs), 'comparison')} of methods{which}: {needed} "
        f"would. A pair is two trials of one seed: add seeds, or compare fewer methods."
    )
