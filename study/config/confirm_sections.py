"""The sections of a study that is confirmed, and of one that confirms another."""

from typing import Annotated, Any, Literal

import pydantic
from pydantic import BeforeValidator, Field

from study.config.problems import shown
from study.config.sections import Strict


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


BaselineName = Literal["dense", "one_shot"]


class ConfirmSection(Strict):
    """How the best of a search are run again with fresh seeds, once it has come to its end.

    Attributes:
        top: At most so many of its configurations.
        seeds: So many for each configuration; ``decided`` looks after 6, 8, 12, 16, 24 and 32
            whether all verdicts are settled.
        baselines: What each is run beside. ``dense``, which verdicts refer to, is among them.
    """

    top: Annotated[int, Field(ge=1)] = 3
    seeds: Annotated[int, Field(ge=2)] | Literal["decided"] = 8
    baselines: Annotated[tuple[BaselineName, ...], BeforeValidator(_tuple)] = ("dense", "one_shot")

    @pydantic.field_validator("seeds", mode="before")
    @classmethod
    def _number_or_decided(cls, value: Any) -> Any:
        if value == "decided" or (type(value) is int and value >= 2):
            return value
        raise ValueError(f"must be a number of at least 2, or decided, got {shown(value)}")

    @pydantic.field_validator("baselines")
    @classmethod
    def _with_dense(cls, value: tuple[BaselineName, ...]) -> tuple[BaselineName, ...]:
        if "dense" in value:
            return value
        raise ValueError("needs dense, which every verdict refers to, e.g. [dense]")


class ConfirmedArm(Strict):
    """What the trials of one group of axes are to the study that is confirmed.

    Attributes:
        trial: Number of the trial whose configuration they run again; None for a mere baseline.
        baseline_of: Numbers of the trials that they are a baseline of.
        settings_of: Number of the trial in which a baseline was best, whose settings they have;
            None where they have those of the trials that they are a baseline of.
        searched: Metric → the value that the search had found for that trial.
    """

    trial: Annotated[int, Field(ge=0)] | None = None
    baseline_of: Annotated[tuple[int, ...], BeforeValidator(_tuple)] = ()
    settings_of: Annotated[int, Field(ge=0)] | None = None
    searched: dict[str, float] = Field(default_factory=dict)


class ConfirmsSection(Strict):
    """Which study this one runs the best of again with fresh seeds; `app-study confirm` writes it.

    Attributes:
        study: Its name.
        metric: By which its trials are compared.
        tuned: The paths that it tuned: what it searched but for the task and how much is pruned.
        looks: Numbers of seeds after which it is looked whether all is decided; empty where the
            number is fixed.
        arms: One for each group of ``axes``, in their order.
    """

    study: str
    metric: str
    tuned: Annotated[tuple[str, ...], BeforeValidator(_tuple)] = ()
    looks: Annotated[tuple[int, ...], BeforeValidator(_tuple)] = ()
    arms: Annotated[tuple[ConfirmedArm, ...], Field(min_length=1)]

    @pydantic.field_validator("looks")
    @classmethod
    def _rising(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if list(value) != sorted(set(value)) or any(look < 2 for look in value):
            raise ValueError(f"must rise from at least 2, got {list(value)}")
        return value
