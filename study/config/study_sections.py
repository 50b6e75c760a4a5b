"""The sections of a study beside its trials: typed and strict."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from study.config.addresses import ray_address, store_address
from study.config.confirm_sections import ConfirmSection, ConfirmsSection
from study.config.problems import Problem, pydantic_message, shown, unknown_key
from study.config.sections import Seed, Strict
from study.constraints import Constraint, parse_constraint
from study.credentials import REFUSED, holds_credentials

SamplerName = Literal["tpe", "random", "grid", "gp", "nsga2"]
StoppingName = Literal["auto", "none", "bound", "asha", "median"]


class StoppingSection(Strict):
    """When a proposed trial is stopped before its stream ends, by fractions of the stream.

    The defaults of ``asha`` are lenient: schedules that prune early look worse early on than they
    end (``python -m benchmarks stopping``).

    Attributes:
        name: ``auto`` is ``bound`` for the service error alone, ``asha`` for another single error
            that can be judged while it runs, else ``none``. ``bound`` stops what can no longer
            come within ``objective.margin`` of the best, whatever its next models are; ``asha``
            lets the better ``1 / reduction`` of the trials go on at each rung; ``median`` stops
            what is worse than the median.
        first_rung: Fraction of the stream at which ``asha`` and ``median`` first compare.
        reduction: Each rung of ``asha`` is so many times the one before.
        min_trials: Nothing is stopped before so many trials have come as far, under ``bound`` to
            their end.
    """

    name: StoppingName = "auto"
    first_rung: Annotated[float, Field(gt=0, lt=1)] = 0.5
    reduction: Annotated[float, Field(gt=1)] = 1.5
    min_trials: Annotated[int, Field(ge=1)] = 4


class SearchSection(Strict):
    """How the space is searched.

    Attributes:
        space: Path → choices, or a range.
        sampler: What proposes trials.
        seed: Of the sampler.
        points: Tried first; a list in a point stands for each of its values.
        stopping: When trials are stopped early.
        warm_start: Earlier studies. Trials that could be this study's own are transferred to the
            sampler; of a study with other data, models or budgets the best places are tried first.
        warm_start_top: So many places of each such study.
        arms: Searched paths whose choices are tuned apart, with equal shares of the trials.
    """

    space: dict[str, Any]
    sampler: SamplerName = "tpe"
    seed: Seed = 0
    points: tuple[dict[str, Any], ...] = ()
    stopping: StoppingSection = StoppingSection()
    warm_start: tuple[str, ...] = ()
    warm_start_top: Annotated[int, Field(ge=0)] = 3
    arms: tuple[str, ...] = ()


class ObjectiveSection(Strict):
    """What a search optimises. Directions belong to the metrics.

    Attributes:
        metrics: What is optimised; the first ranks.
        constraints: Limits such as ``final_density <= 0.2`` that a winner keeps.
        service_after: h of the service error: the last model serves for h times as long as the
            stream ran.
        margin: How much worse than its reference an error may be and still count as good, as a
            fraction of examples: 0.01 is one point.
        allow_test_objective: Select on the test split; every report says so.
    """

    metrics: tuple[str, ...] = ("service_error",)
    constraints: tuple[str, ...] = ()
    service_after: Annotated[float, Field(ge=0)] = 1.0
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.01
    allow_test_objective: bool = False

    @property
    def limits(self) -> tuple[Constraint, ...]:
        """The constraints, read."""
        return tuple(parse_constraint(text) for text in self.constraints)


class BudgetSection(Strict):
    """When a study ends, and when a trial is given up.

    Attributes:
        trials: Proposals of the sampler; the points come on top.
        hours: Wall time of all sessions of the study together, resumed ones included.
        train_flops: FLOPs of training, counted dense, of all trials together.
        max_failures: So many failed trials in one session end it, unfinished.
        fail_fast: The first failed trial does.
        trial_timeout: Seconds on its actor, in one session, after which a trial has failed.
    """

    trials: Annotated[int, Field(ge=0)] | None = None
    hours: Annotated[float, Field(gt=0)] | None = None
    train_flops: Annotated[float, Field(gt=0)] | None = None
    max_failures: Annotated[int, Field(ge=1)] | None = None
    fail_fast: bool = False
    trial_timeout: Annotated[float, Field(gt=0)] | None = None


class ResourcesSection(Strict):
    """What a trial may use, and where the study lives and runs.

    Attributes:
        address: A Ray cluster to run on: ``auto``, ``HOST:PORT``, or ``local`` for a Ray of our
            own.
        data: ``shipped`` from the driver through Ray's object store, or found ``on_node``.
        cpus_per_trial: Threads of a trial.
        gpus_per_trial: A fraction up to 1, or a whole number; 0 hides GPUs from trials. Where it
            is left out, a trial takes one if a node has GPUs and its network is worth one.
        max_concurrent: Trials at once; null for as many as there is room for.
        storage_path: Folder of all studies, or a URL such as ``s3://bucket/studies``.
        checkpoint_every_s: Seconds between two checkpoints within a megabatch.
    """

    address: str | None = None
    data: Literal["shipped", "on_node"] = "shipped"
    cpus_per_trial: Annotated[int, Field(ge=1)] = 1
    gpus_per_trial: Annotated[float, Field(ge=0)] | None = None
    max_concurrent: Annotated[int, Field(ge=1)] | None = None
    storage_path: str | None = None
    checkpoint_every_s: Annotated[float, Field(ge=0)] = 60.0

    @pydantic.field_validator("storage_path")
    @classmethod
    def _known_store(cls, value: str | None) -> str | None:
        return None if value is None else store_address(value)

    @pydantic.field_validator("address")
    @classmethod
    def _known_address(cls, value: str | None) -> str | None:
        return None if value is None else ray_address(value)

    @pydantic.field_validator("gpus_per_trial")
    @classmethod
    def _whole_above_one(cls, value: float | None) -> float | None:
        if value is not None and value > 1 and not value.is_integer():
            raise ValueError(
                f"must be a fraction up to 1 or a whole number of GPUs, got {value:g}; a trial "
                f"does not share a part of its second GPU"
            )
        return value


LogModels = Literal["none", "final", "best", "every_megabatch"]
MeasuredLatency = Literal["none", "final", "every_megabatch"]


class TrackingSection(Strict):
    """Where MLflow keeps what the study logs; by default SQLite in the working directory.

    Attributes:
        uri: Address of the MLflow store.
        experiment: Its experiment.
        log_models: Which of a trial's models in service are logged there.
        log_latency: Of which models latency and speed-up are measured: ``auto`` is the last, and
            only where an objective or a constraint names one of them.
    """

    uri: Annotated[str, Field(min_length=1)] | None = None
    experiment: Annotated[str, Field(min_length=1, max_length=200)] = "app-study"
    log_models: LogModels = "final"
    log_latency: Literal["auto", "final", "every_megabatch"] = "auto"

    @pydantic.field_validator("uri")
    @classmethod
    def _without_credentials(cls, value: str | None) -> str | None:
        if value is not None and holds_credentials(value):
            raise ValueError(REFUSED)
        return value


STUDY_SECTIONS: dict[str, type[Strict]] = {
    "search": SearchSection,
    "objective": ObjectiveSection,
    "budget": BudgetSection,
    "resources": ResourcesSection,
    "tracking": TrackingSection,
    "confirm": ConfirmSection,
    "confirms": ConfirmsSection,
}


def parse_study_sections(raw: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Name → section, None where it is left out or wrong; what is wrong joins ``problems``."""
    parsed: dict[str, Any] = dict.fromkeys(STUDY_SECTIONS)
    for name, model in STUDY_SECTIONS.items():
        if name not in raw:
            continue
        value = raw[name]
        if not isinstance(value, Mapping):
            given = "is empty" if value is None else f"must be a mapping, got {shown(value)}"
            known = ", ".join(model.model_fields)
            problems.append(Problem(name, f"{given}; leave it out or give some of: {known}"))
            continue
        try:
            parsed[name] = model.model_validate(_top_lists_to_tuples(value))
        except pydantic.ValidationError as error:
            problems += [_problem(name, model, dict(item)) for item in error.errors()]
    return parsed


def _problem(name: str, model: type[Strict], item: dict[str, Any]) -> Problem:
    path = ".".join([name, *(str(part) for part in item["loc"])])
    if item["type"] == "extra_forbidden":
        return Problem(path, unknown_key(item["loc"][-1], list(model.model_fields)))
    return Problem(path, pydantic_message(item))


def _top_lists_to_tuples(section: Mapping[str, Any]) -> dict[str, Any]:
    """Lists as tuples at the top alone: what the space and the points hold stays as written."""
    return {str(k): tuple(v) if isinstance(v, list) else v for k, v in section.items()}
