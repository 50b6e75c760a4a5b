"""A cache for what reports share, for as long as the runs live."""

import gc
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs

P = ParamSpec("P")
R = TypeVar("R")


def cached(function: "Callable[Concatenate[Runs, P], R]") -> "Callable[Concatenate[Runs, P], R]":
    """Remember what ``function`` made of runs and its other arguments, as long as the runs live.

    The arguments are hashable, and whoever is given the result must not change it.
    """
    known: WeakKeyDictionary[Runs, dict[Hashable, R]] = WeakKeyDictionary()

    @wraps(function)
    def remembered(runs: "Runs", /, *args: P.args, **kwargs: P.kwargs) -> R:
        of_runs = known.setdefault(runs, {})
        place = (args, tuple(sorted(kwargs.items())))
        if place not in of_runs:
            of_runs[place] = function(runs, *args, **kwargs)
        return of_runs[place]

    return remembered


@contextmanager
def gc_paused() -> Iterator[None]:
    """Within it, or a function that it decorates, no cyclic garbage is looked for.

    The search takes as long as there are objects, and comes again and again as they grow: for a
    study of 10,000 trials it takes longer than to read them.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
