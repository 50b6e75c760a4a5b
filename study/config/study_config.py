"""A study as it is checked: the value that everything else is given."""

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from study.config.arms import SearchArm, arms_of, belongs
from study.config.confirm_sections import ConfirmedArm, ConfirmSection, ConfirmsSection
from study.config.points import MAX_CELLS, Axes, cells_of_axes
from study.config.space import Space, compose
from study.config.study_sections import (
    BudgetSection,
    MeasuredLatency,
    ObjectiveSection,
    ResourcesSection,
    SearchSection,
    TrackingSection,
)
from study.config.trial import TrialConfig, parse_trial
from study.metrics import LATENCIES

TOP_LEVEL = (
    "name", "description", "fixed", "search", "axes", "objective", "budget", "resources",
    "tracking", "confirm", "confirms", "plugins",
)  # fmt: skip


@dataclass(frozen=True)
class StudyConfig:
    """A checked study.

    Attributes:
        fixed: Dotted path → value, the same for every trial.
        space: The searched paths; empty where nothing is searched.
        points: Chosen values of the trials that come first: points of a search, cells of axes.
        axes: Groups of path → values; the trials are every combination within each group.
        confirm: How its own best are run again once it has ended, if they are.
        confirms: The study whose best trials this one runs again, if it does.
    """

    name: str
    description: str
    fixed: Mapping[str, Any]
    space: Space
    points: tuple[Mapping[str, Any], ...]
    search: SearchSection | None
    axes: tuple[Axes, ...]
    objective: ObjectiveSection
    budget: BudgetSection
    resources: ResourcesSection
    tracking: TrackingSection
    plugins: tuple[str, ...]
    confirm: ConfirmSection | None = None
    confirms: ConfirmsSection | None = None

    @property
    def num_proposals(self) -> int:
        """How many trials the sampler proposes; the points come on top."""
        if self.search is None:
            return 0
        if self.search.sampler == "grid":
            trials = MAX_CELLS if self.budget.trials is None else self.budget.trials
            return len(self.space.cells(self.fixed, limit=trials))
        return self.budget.trials or 0

    @functools.cached_property
    def search_arms(self) -> tuple[SearchArm, ...]:
        """What the search tunes apart; empty where it has no arms."""
        return arms_of(self.search.arms, self.space, self.fixed) if self.search else ()

    @property
    def proposals_per_arm(self) -> int:
        """How many trials the sampler proposes for each arm; all where there are none."""
        return self.num_proposals // max(1, len(self.search_arms))

    def arm_of(self, values: Mapping[str, Any]) -> SearchArm | None:
        """The arm of a trial with these values by dotted path; None where it is of none."""
        return next((arm for arm in self.search_arms if belongs(values, arm)), None)

    @property
    def num_trials(self) -> int:
        """How many trials the study has in all."""
        return len(self.points) + self.num_proposals

    @property
    def confirmation(self) -> str:
        """The name of the study that runs its best again after it; empty where none does."""
        return confirmation_of(self.name) if self.confirm else ""

    @property
    def shown_metrics(self) -> tuple[str, ...]:
        """What is shown of a trial: the objectives, or service and size; the first ranks."""
        if self.search:
            return self.objective.metrics
        has_holdout = self.fixed.get("data.holdout_fraction") != 0
        return ("service_error" if has_holdout else "test_service_error", "final_density")

    @property
    def measured_latency(self) -> MeasuredLatency:
        """Of which networks of a trial latency is measured: on request, or to be judged by."""
        chosen = self.tracking.log_latency
        if chosen != "auto":
            return chosen
        limited = {limit.metric for limit in self.objective.limits}
        return "none" if LATENCIES.isdisjoint({*self.objective.metrics, *limited}) else "final"

    @property
    def varied(self) -> tuple[str, ...]:
        """Every path that differs between trials."""
        on_axes = [path for group in self.axes for path in group]
        return tuple(dict.fromkeys([*self.space.paths, *on_axes]))

    @functools.cached_property
    def differing(self) -> tuple[str, ...]:
        """Every path in which two trials may differ, those that only a point sets included."""
        of_points = [path for chosen in self.points for path in chosen]
        return tuple(dict.fromkeys([*self.varied, *of_points]))

    def compose(self, chosen: Mapping[str, Any]) -> TrialConfig:
        """The trial with these values for what varies."""
        return compose(self.fixed, chosen, varied=self.varied)

    def recorded(self, config: Mapping[str, Any]) -> TrialConfig:
        """A trial as it was recorded, its data where this study finds it now."""
        if "data.root" not in self.fixed:
            return parse_trial(config)
        return parse_trial({**config, "data": {**config["data"], "root": self.fixed["data.root"]}})

    def corners(self) -> Iterator[TrialConfig]:
        """Every point, and the extremes of the space."""
        for chosen in self.points:
            yield self.compose(chosen)
        if self.search:
            for chosen in self.space.ends(self.fixed):
                yield self.compose(chosen)

    def arms(self) -> dict[str, ConfirmedArm]:
        """Trial key → what the trial is to the study that is confirmed; empty if none is."""
        if self.confirms is None:
            return {}
        return {
            self.compose(chosen).key(): arm
            for group, arm in zip(self.axes, self.confirms.arms, strict=True)
            for chosen in cells_of_axes((group,), self.fixed)
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values that ``parse_study`` reads back to an equal study."""
        made: dict[str, Any] = {"name": self.name, "description": self.description}
        made["fixed"] = dict(self.fixed)
        if self.search:
            made["search"] = self.search.model_dump()
        if self.axes:
            made["axes"] = [dict(group) for group in self.axes]
        for name in ("objective", "budget", "resources", "tracking"):
            made[name] = getattr(self, name).model_dump()
        if self.confirm:
            made["confirm"] = self.confirm.model_dump()
        if self.confirms:
            made["confirms"] = self.confirms.model_dump(exclude_defaults=True)
        made["plugins"] = self.plugins
        return made

    def fingerprint(self) -> str:
        """Hash over the whole configuration."""
        text = json.dumps(self.to_dict(), sort_keys=True, default=list)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def confirmation_of(study: str) -> str:
    """The name of the study that confirms ``study``, unless another is given."""
    return f"{study}-confirm"
