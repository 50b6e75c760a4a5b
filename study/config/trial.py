"""One trial's configuration, complete and checked."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pydantic

from study.config.errors import ConfigError, Problem, shown, unknown_key
from study.config.sections import (
    SECTIONS,
    TARGETS,
    DataSection,
    ModelSection,
    PruningSection,
    SaliencySection,
    Section,
    StreamSection,
    TrainingSection,
    owners,
    section_model,
)
from study.registry import UnknownPluginError, nearest

Scalar = str | int | float | bool

# Where the data lies says nothing of what a trial is.
_NOT_IDENTITY = frozenset({"data.root", "data.download"})


@dataclass(frozen=True)
class TrialConfig:
    """Everything that a trial's numbers depend on."""

    data: DataSection
    stream: StreamSection
    model: ModelSection
    pruning: PruningSection
    saliency: SaliencySection
    training: TrainingSection
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values with every default filled in; :func:`parse_trial` reads it back."""
        sections = {name: getattr(self, name).model_dump() for name in SECTIONS}
        return {**sections, "seed": self.seed}

    def flat(self) -> dict[str, Any]:
        """Dotted path → value, every default filled in."""
        return flatten(self.to_dict())

    def fingerprint(self) -> str:
        """Hash over the whole resolved configuration."""
        return _hash(self.flat())[:16]

    def key(self) -> str:
        """The trial's identity within its study: equal where its results must be equal."""
        return _hash({k: v for k, v in self.flat().items() if k not in _NOT_IDENTITY})[:12]


def _hash(flat: Mapping[str, Any]) -> str:
    text = json.dumps(flat, sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()


def flatten(nested: Mapping[str, Any]) -> dict[str, Any]:
    """``{"a": {"b": 1}, "c": 2}`` → ``{"a.b": 1, "c": 2}``; dotted keys stay as they are."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            flat.update({f"{key}.{rest}": inner for rest, inner in flatten(value).items()})
        else:
            flat[key] = value
    return flat


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of :func:`flatten` for paths of one or two parts."""
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        section, _, name = path.partition(".")
        if name:
            nested.setdefault(section, {})[name] = value
        else:
            nested[section] = value
    return nested


def parse_trial(raw: Mapping[str, Any]) -> TrialConfig:
    """A trial from nested values; what is left out has its default.

    Raises:
        ConfigError: With every problem found.
    """
    problems: list[Problem] = []
    sections: dict[str, Any] = {}
    for key in raw:
        if key not in SECTIONS and key != "seed":
            problems.append(Problem(str(key), unknown_key(key, [*SECTIONS, "seed"])))
    for name, section in SECTIONS.items():
        value = raw.get(name, {})
        if not isinstance(value, Mapping):
            problems.append(Problem(name, f"must be a mapping, got {shown(value)}"))
            continue
        parsed = _parse_section(name, section, dict(value), problems)
        if parsed is not None:
            sections[name] = parsed
    seed = raw.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        problems.append(Problem("seed", f"must be a whole number from 0, got {shown(seed)}"))
    if "pruning" in sections:
        problems += _target_problems(sections["pruning"])
    if "training" in sections:
        problems += _length_problems(sections["training"])
    if "stream" in sections and "pruning" in sections:
        problems += _schedule_problems(sections["pruning"], sections["stream"])
    if problems:
        raise ConfigError(problems)
    return TrialConfig(**sections, seed=seed)


def _parse_section(
    name: str, section: type[Section], raw: dict[str, Any], problems: list[Problem]
) -> Section | None:
    before = len(problems)
    for point, registry in section.plugin_points.items():
        value = raw.get(point)
        if isinstance(value, str) and value not in registry:
            try:
                registry.get(value)
            except UnknownPluginError as error:
                problems.append(Problem(f"{name}.{point}", str(error)))
    chosen = section.choose(raw)
    complete = len(chosen) == len(section.plugin_points)
    model = section_model(section, tuple(chosen.values()))
    try:
        parsed = model.model_validate(_lists_to_tuples(raw))
    except pydantic.ValidationError as error:
        for item in error.errors():
            problem = _problem(name, section, model, dict(item))
            # A field of a plug-in whose name is misspelt is no second mistake.
            if problem and (complete or item["type"] != "extra_forbidden"):
                problems.append(problem)
        return None
    if len(problems) > before:
        return None
    for point in section.plugin_points:
        try:
            parsed.plugin(point)
        except ValueError as error:
            problems.append(Problem(*_plugin_refusal(name, parsed, point, str(error))))
    return parsed if len(problems) == before else None


def _plugin_refusal(name: str, parsed: Section, point: str, message: str) -> tuple[str, str]:
    first, _, rest = message.partition(" ")
    if rest and first in type(parsed).model_fields:
        return f"{name}.{first}", rest
    return f"{name}.{point}", message


def _lists_to_tuples(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_lists_to_tuples(item) for item in value)
    if isinstance(value, Mapping):
        return {key: _lists_to_tuples(item) for key, item in value.items()}
    return value


def _problem(
    name: str, section: type[Section], model: type[Section], item: dict[str, Any]
) -> Problem | None:
    path = ".".join([name, *(str(part) for part in item["loc"])])
    if item["type"] != "extra_forbidden":
        return Problem(path, pydantic_message(item))
    key = item["loc"][0]
    owned_by = owners(section, key) if isinstance(key, str) else {}
    if owned_by:
        point, names = next(iter(owned_by.items()))
        registry = section.plugin_points[point]
        return Problem(path, f"belongs to the {registry.kind} {' or '.join(names)} alone")
    known = list(model.model_fields)
    guess = nearest(str(key), known)
    if guess is None and (elsewhere := _other_section(str(key))):
        return Problem(path, f"unknown key; {key!r} stands under {elsewhere!r}")
    return Problem(path, unknown_key(key, known))


def _other_section(key: str) -> str | None:
    return next((name for name, cls in SECTIONS.items() if key in cls.model_fields), None)


def pydantic_message(item: Mapping[str, Any]) -> str:
    """Pydantic's words for one error, with the value that was given."""
    message = str(item["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if item["type"] == "missing":
        return "must be given"
    if isinstance(item["input"], Mapping | tuple | list) and item["loc"]:
        return f"{message}, got {shown(item['input'])}"
    return message if item["type"] == "value_error" else f"{message}, got {shown(item['input'])}"


def _target_problems(pruning: PruningSection) -> list[Problem]:
    given = [name for name in TARGETS if getattr(pruning, name) is not None]
    if not pruning.plugin_points["schedule"].get(pruning.schedule).takes_target:
        return [
            Problem(
                f"pruning.{name}",
                f"has no meaning under the pruning schedule {pruning.schedule!r}; leave it out",
            )
            for name in given
        ]
    if len(given) == 1:
        return []
    both = "not both" if given else "none is given"
    return [
        Problem(
            "pruning.final_density",
            f"the pruning schedule {pruning.schedule!r} needs pruning.final_density or "
            f"pruning.tau, exactly one of them ({both})",
        )
    ]


def _length_problems(training: TrainingSection) -> list[Problem]:
    given = [n for n in ("epochs", "total_samples") if getattr(training, n) is not None]
    if len(given) == 1:
        problems = []
    else:
        both = "not both" if given else "none is given"
        problems = [
            Problem(
                "training.epochs",
                f"give training.epochs (per megabatch) or training.total_samples (examples "
                f"through SGD per trial), exactly one of them ({both})",
            )
        ]
    if list(training.lr_milestones) != sorted(set(training.lr_milestones)):
        problems.append(
            Problem(
                "training.lr_milestones",
                f"must rise, got {shown(list(training.lr_milestones))}; they are fractions of a "
                f"megabatch's steps",
            )
        )
    if training.nesterov and training.momentum == 0:
        problems.append(
            Problem("training.nesterov", "needs momentum; set training.momentum above 0")
        )
    return problems


def _schedule_problems(pruning: PruningSection, stream: StreamSection) -> list[Problem]:
    densities = getattr(pruning, "densities", None)
    if densities is not None and len(densities) != stream.num_megabatches:
        return [
            Problem(
                "pruning.densities",
                f"{len(densities)} densities for stream.num_megabatches = "
                f"{stream.num_megabatches}; give one for each megabatch",
            )
        ]
    return []
