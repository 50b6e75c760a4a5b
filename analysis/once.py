"""What several reports ask of the same runs is computed once."""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from analysis.runs import Runs

P = ParamSpec("P")
R = TypeVar("R")


def once(function: "Callable[Concatenate[Runs, P], R]") -> "Callable[Concatenate[Runs, P], R]":
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
