"""One trial's configuration, complete and checked."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from study.config.problems import ConfigError, Problem, shown, unknown_key
from study.config.rules.trial import (
    arrival_problems,
    granularity_problems,
    schedule_problems,
    start_problems,
    target_problems,
    training_problems,
)
from study.config.section_parsing import parse_section
from study.config.sections import (
    MAX_SEED,
    SECTIONS,
    DataSection,
    ModelSection,
    PruningSection,
    SaliencySection,
    StreamSection,
    TrainingSection,
)
from study.models.weights_file import digest_of

# Where files lie is no part of what a trial is; of arrivals only the names count.
_ARRIVALS = "data.arrivals"
_NOT_IDENTITY = frozenset({"data.root", "data.download", _ARRIVALS, "model.weights"})
# Settings that trials did without, at the value that these had all the same: what such a trial is
# has not changed since.
_ADDED = {
    "model.weights": None,
    "model.weights_digest": None,
    "pruning.granularity": PruningSection.model_fields["granularity"].default,
    "training.start": TrainingSection.model_fields["start"].default,
    "training.at": TrainingSection.model_fields["at"].default,
    "training.samples_per_model": None,
    "training.optimizer": TrainingSection.model_fields["optimizer"].default,
    "training.lr_schedule": TrainingSection.model_fields["lr_schedule"].default,
    "training.warmup": 0.0,
    "training.label_smoothing": 0.0,
    "training.clip_norm": None,
    "training.total_flops": None,
    "training.kernels": TrainingSection.model_fields["kernels"].default,
}


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
        return _hash(_without_added(self.flat()))[:16]

    def key(self) -> str:
        """The trial's identity within its study: equal where its results must be equal."""
        flat = _without_added(self.flat())
        identity = {k: v for k, v in flat.items() if k not in _NOT_IDENTITY}
        if self.data.arrivals:
            identity[_ARRIVALS] = self.data.arrival_names
        return _hash(identity)[:12]

    @property
    def num_megabatches(self) -> int:
        """Those of the stream and those that arrive after it."""
        return self.stream.num_megabatches + len(self.data.arrivals)

    def with_arrivals(self, paths: Sequence[str]) -> "TrialConfig":
        """The same trial with these arrivals instead of its own."""
        data = self.data.model_copy(update={"arrivals": tuple(paths)})
        return dataclasses.replace(self, data=data)

    def predecessors(self) -> tuple["TrialConfig", ...]:
        """The trials that this one goes on from, each with one arrival more than the last."""
        paths = self.data.arrivals
        return tuple(self.with_arrivals(paths[:number]) for number in range(len(paths)))


def _without_added(flat: Mapping[str, Any]) -> dict[str, Any]:
    return {
        path: value for path, value in flat.items() if path not in _ADDED or value != _ADDED[path]
    }


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
    problems = [
        Problem(str(key), unknown_key(key, [*SECTIONS, "seed"]))
        for key in raw
        if key not in SECTIONS and key != "seed"
    ]
    sections: dict[str, Any] = {}
    for name in SECTIONS:
        section, found = parse_section(name, raw.get(name, {}))
        problems += found
        if section is not None:
            sections[name] = section
    seed = raw.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        problems.append(
            Problem("seed", f"must be a whole number from 0 to {MAX_SEED}, got {shown(seed)}")
        )
    problems += _rule_problems(sections)
    if "model" in sections:
        try:
            sections["model"] = _with_digest(sections["model"])
        except ValueError as error:
            problems.append(Problem("model.weights", str(error)))
    if problems:
        raise ConfigError(problems)
    return TrialConfig(**sections, seed=seed)


def _with_digest(model: ModelSection) -> ModelSection:
    """The section with the digest of its file, read where it is not known yet.

    Raises:
        ValueError: The file cannot be read.
    """
    file = model.weights_file
    if file is None or file.digest:
        return model
    return model.model_copy(update={"weights_digest": digest_of(file.path)})


def _rule_problems(sections: Mapping[str, Any]) -> list[Problem]:
    """The rules between values, as far as the sections they speak of are right in themselves."""
    problems = []
    if "pruning" in sections:
        problems += target_problems(sections["pruning"])
        if not problems and "stream" in sections:
            problems += schedule_problems(sections["pruning"], sections["stream"])
        problems += granularity_problems(sections["pruning"], sections)
    if "training" in sections:
        problems += training_problems(sections["training"])
        if "stream" in sections:
            problems += arrival_problems(sections["training"], sections["stream"])
        problems += start_problems(sections["training"], sections)
    return problems
