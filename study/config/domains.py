"""The values that a searched path may take, and the conditions under which it exists."""

import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from study.config.paths import is_active, path_problem
from study.config.problems import ConfigError, Problem, shown, unknown_key
from study.config.section_parsing import as_tuples
from study.config.sections import LARGE, SECTIONS, as_whole, field_annotations

_RANGE_KEYS = ("low", "high", "log", "step", "when")
_CHOICES_KEYS = ("choices", "when")


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    is_integer: bool = False

    def __str__(self) -> str:
        notes = [*(["log"] * self.log), *([f"step {self.step}"] if self.step else [])]
        return f"{self.low} to {self.high}" + (f" ({', '.join(notes)})" if notes else "")

    def ends(self) -> tuple[Any, ...]:
        """The smallest and the largest value."""
        return (self.low,) if self.low == self.high else (self.low, self.high)

    def steps(self) -> tuple[Any, ...]:
        """Every value of a range with a step; whole numbers have the step 1."""
        step = self.step or 1
        count = round((self.high - self.low) / step) + 1
        # Rounded: 0.1 + 2 · 0.1 lies above 0.3.
        return tuple(min(self.high, self.low + index * step) for index in range(count))

    def position(self, value: float) -> float:
        """0 at the lower end and 1 at the upper, on the logarithm where the range is."""
        if self.low == self.high:
            return 0.0
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def __contains__(self, value: object) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high  # type: ignore[operator]  # a number


@dataclass(frozen=True)
class Choices:
    """One of several values."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return f"one of {', '.join(map(str, self.values))}"

    def ends(self) -> tuple[Any, ...]:
        """Every value."""
        return self.values

    def steps(self) -> tuple[Any, ...]:
        """Every value."""
        return self.values

    def __contains__(self, value: object) -> bool:
        return any(type(v) is type(value) and v == value for v in self.values)


@dataclass(frozen=True)
class Dimension:
    """One searched path. ``when`` maps other paths to the values under which it exists."""

    path: str
    domain: Range | Choices
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def is_active(self, flat: Mapping[str, Any]) -> bool:
        """Whether the path exists given the values in ``flat``."""
        return is_active(self.path, flat) and all(
            flat.get(path) in values for path, values in self.when.items()
        )


def parse_dimension(path: str, raw: Any) -> Dimension:
    """What ``search.space`` has for ``path``: a list of choices, or a mapping.

    Raises:
        ConfigError: With every problem found.
    """
    where = f"search.space.{path}"
    if isinstance(raw, Sequence) and not isinstance(raw, str):
        raw = {"choices": raw}
    if not isinstance(raw, Mapping):
        raise ConfigError(
            [
                Problem(
                    where,
                    f"must be a list of choices or a mapping with low and high, got "
                    f"{shown(raw)}; a value that does not vary belongs under fixed",
                )
            ]
        )
    keys = _CHOICES_KEYS if "choices" in raw else _RANGE_KEYS
    problems = [
        Problem(f"{where}.{key}", unknown_key(key, keys)) for key in raw if key not in keys
    ]
    when = _when(where, raw.get("when", {}), problems)
    domain: Range | Choices | None
    if "choices" in raw:
        domain = _choices(where, path, raw["choices"], problems)
    else:
        domain = _range(where, path, raw, problems)
    if problems or domain is None:
        raise ConfigError(problems)
    return Dimension(path, domain, when)


def _when(where: str, raw: Any, problems: list[Problem]) -> dict[str, tuple[Any, ...]]:
    where = f"{where}.when"
    if not isinstance(raw, Mapping):
        problems.append(Problem(where, f"must map paths to values, got {shown(raw)}"))
        return {}
    when = {}
    for path, value in raw.items():
        values = as_tuples(value) if isinstance(value, list | tuple) else (value,)
        problem = path_problem(str(path), where=where)
        if problem:
            problems.append(problem)
        elif not values:
            problems.append(Problem(f"{where}.{path}", "needs at least one value"))
        when[str(path)] = values
    return when


def _choices(where: str, path: str, raw: Any, problems: list[Problem]) -> Choices | None:
    if not isinstance(raw, Sequence) or isinstance(raw, str) or not raw:
        problems.append(Problem(where, f"needs a list of at least one choice, got {shown(raw)}"))
        return None
    values = as_tuples(raw)
    if path in LARGE:
        values = tuple(as_whole(value) for value in values)
    if any(isinstance(v, Mapping) for v in values):
        problems.append(Problem(where, "a choice is a value or a list of values, not a mapping"))
    marks = [(type(v).__name__, shown(v)) for v in values]
    if len(set(marks)) < len(marks):
        problems.append(Problem(where, f"a choice is given twice: {shown(raw)}; keep one of them"))
    return Choices(values)


def _range(where: str, path: str, raw: Mapping[str, Any], problems: list[Problem]) -> Range | None:
    kind = _number_kind(path)
    found = _form_problems(where, path, raw, kind) or _value_problems(where, path, raw, kind)
    problems += found
    if found:
        return None
    low, high, step = raw["low"], raw["high"], raw.get("step")
    log = raw.get("log", False)
    if kind == "int":
        return Range(int(low), int(high), log, None if step is None else int(step), True)
    return Range(float(low), float(high), log, None if step is None else float(step))


def _form_problems(
    where: str, path: str, raw: Mapping[str, Any], kind: Literal["int", "float"] | None
) -> list[Problem]:
    if kind is None:
        return [Problem(where, f"{path} is not a number; give a list of choices")]
    problems = [
        Problem(f"{where}.{key}", "must be given")
        if key not in raw
        else Problem(f"{where}.{key}", f"must be a number, got {shown(raw[key])}")
        for key in ("low", "high", *(["step"] if raw.get("step") is not None else []))
        if not _is_number(raw.get(key))
    ]
    log = raw.get("log", False)
    if not isinstance(log, bool):
        problems.append(Problem(f"{where}.log", f"must be true or false, got {shown(log)}"))
    return problems


def _value_problems(
    where: str, path: str, raw: Mapping[str, Any], kind: Literal["int", "float"] | None
) -> list[Problem]:
    low, high, step, log = raw["low"], raw["high"], raw.get("step"), raw.get("log", False)
    problems = []
    if low > high:
        problems.append(Problem(where, f"low {low} is above high {high}; exchange them"))
    if log and low <= 0:
        problems.append(Problem(f"{where}.low", f"must be above 0 with log: true, got {low}"))
    if log and step is not None:
        problems.append(Problem(f"{where}.step", "cannot be given with log: true; leave one out"))
    if step is not None and step <= 0:
        problems.append(Problem(f"{where}.step", f"must be above 0, got {step}"))
    if kind == "int" and any(v is not None and v != int(v) for v in (low, high, step)):
        problems.append(Problem(where, f"{path} takes whole numbers"))
    if not problems and step is not None:
        problems += _step_problems(where, low, high, step)
    return problems


def _step_problems(where: str, low: float, high: float, step: float) -> list[Problem]:
    """Steps that miss ``high`` would leave it untried, though both ends belong to a range."""
    num_steps = (high - low) / step
    if abs(num_steps - round(num_steps)) < 1e-6:
        return []
    last = low + math.floor(num_steps) * step
    return [
        Problem(
            f"{where}.step",
            f"steps of {step} from {low} do not meet high {high}; set high to {last:.10g} or "
            f"choose another step",
        )
    ]


def _is_number(value: Any) -> bool:
    """Whether it is a number that fits a double."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e300  # False for NaN too


def _number_kind(path: str) -> Literal["int", "float"] | None:
    if path == "seed":
        return "int"
    section_name, _, name = path.partition(".")
    kinds = {
        kind
        for annotation in field_annotations(SECTIONS[section_name], name)
        for kind in _scalar_types(annotation)
    }
    if float in kinds:
        return "float"
    return "int" if int in kinds else None


def _scalar_types(annotation: Any) -> set[Any]:
    if typing.get_origin(annotation) is typing.Annotated:
        return _scalar_types(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return {kind for part in typing.get_args(annotation) for kind in _scalar_types(part)}
    return {annotation} if annotation in (int, float) else set()
