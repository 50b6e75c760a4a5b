"""Limits on results that a trial must keep to be a winner: ``final_density <= 0.2``."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

FORM = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(<=|>=)\s*(\S+)\s*")

# A density of a fifth is met by ⌊0.2·N + ½⌋ of N weights, which may be a little more.
TOLERANCE = 0.01


@dataclass(frozen=True)
class Constraint:
    """``metric <= bound`` or ``metric >= bound`` of a finished trial, to 1 % of the bound."""

    metric: str
    symbol: Literal["<=", ">="]
    bound: float

    def __str__(self) -> str:
        return f"{self.metric} {self.symbol} {self.bound:.10g}"

    def violation(self, value: float) -> float:
        """How far ``value`` lies on the wrong side, at most 0 where it is allowed.

        In units of the bound (of 1, where the bound is 0), so that violations of several
        constraints can be added up. What is no number is infinitely wrong.
        """
        if math.isnan(value):
            return math.inf
        over = value - self.bound if self.symbol == "<=" else self.bound - value
        return over / abs(self.bound) - TOLERANCE if self.bound else over

    def allows(self, value: float) -> bool:
        """Whether a trial with this value may win."""
        return self.violation(value) <= 0


def parse_constraint(text: str) -> Constraint:
    """The constraint that ``text`` states.

    Raises:
        ValueError: It states none.
    """
    match = FORM.fullmatch(text)
    if match is not None:
        metric, symbol, number = match.groups()
        try:
            bound = float(number)
        except ValueError:
            bound = math.nan
        if math.isfinite(bound):
            return Constraint(metric, "<=" if symbol == "<=" else ">=", bound)
    raise ValueError(
        f"{text[:60]!r} is no constraint; write a metric, <= or >=, and a number, e.g. "
        f"'final_density <= 0.2'"
    )


def parse_constraints(text: str) -> tuple[Constraint, ...]:
    """What :func:`constraints_text` wrote."""
    return tuple(parse_constraint(part) for part in text.split(",") if part.strip())


def constraints_text(constraints: tuple[Constraint, ...]) -> str:
    """Constraints on one line, for a record."""
    return ", ".join(str(constraint) for constraint in constraints)


def allows_all(constraints: tuple[Constraint, ...], values: Mapping[str, float]) -> bool:
    """Whether a trial with these final values may win; a value that is missing is not allowed."""
    return all(c.allows(values.get(c.metric, math.nan)) for c in constraints)
