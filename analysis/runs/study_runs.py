"""A study as reports see it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from analysis.runs import frames, histories
from analysis.statistics import summary
from analysis.statistics.decidable import MARGIN
from study.candidates import sought_metric
from study.constraints import Constraint, parse_constraints
from study.metrics import METRICS
from study.results import Outcome
from study.tracking import names

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class StudyFacts:
    """What is known of the study itself.

    Attributes:
        name: The study's name.
        description: The user's own words, may be empty.
        objectives: Metrics that the search optimises; empty where nothing is searched.
        outcome: ``running`` also where it was cut off; ``interrupted`` where it was stopped.
        schema_version: Of the names under which it was written.
        params: The parent run's params, as text.
        confirms: The study whose best trials it confirms; empty for none.
    """

    name: str
    description: str = ""
    objectives: tuple[str, ...] = ()
    outcome: str = Outcome.COMPLETE
    schema_version: str = names.SCHEMA_VERSION
    params: dict[str, str] = field(default_factory=dict)
    confirms: str = ""

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """The limits that a winner of the search keeps."""
        return parse_constraints(self.params.get(names.PARAM_CONSTRAINTS, ""))

    @property
    def margin(self) -> float:
        """How much worse is still as good, as a fraction of examples."""
        return float(self.params.get(names.PARAM_MARGIN, MARGIN))

    @property
    def service_after(self) -> float:
        """The h of the service error."""
        return float(self.params.get(names.PARAM_SERVICE_AFTER, 1.0))

    @property
    def looks(self) -> tuple[int, ...]:
        """Numbers of fresh seeds at which it is judged; empty where it is after all of them."""
        text = self.params.get(names.PARAM_LOOKS, "")
        return tuple(int(look) for look in text.split(",") if look)

    @property
    def sought(self) -> str:
        """What pruning is to bring: the metric by which candidates are put in order."""
        known = sought_metric(name for name in self.objectives if name in METRICS)
        return self.params.get(names.PARAM_SOUGHT, known)

    @property
    def running(self) -> bool:
        """Whether its record is still open."""
        return self.outcome == names.OUTCOME_RUNNING


def _no_confirmation() -> "Runs | None":
    return None


def _no_examples(run_id: str) -> "pd.DataFrame | None":  # noqa: ARG001  # one of several
    return None


@dataclass(frozen=True, eq=False)
class Runs:
    """A study as reports see it.

    Attributes:
        study: The study's own facts.
        trials: One row a trial, by number: :data:`frames.FACTS`, params by dotted name, and every
            metric of :data:`frames.TRIAL_METRICS` with its last value.
        megabatches: One row a trial and megabatch: ``trial_key``, ``megabatch_index`` (0-based),
            ``stream_fraction`` in (0, 1], and every metric of a megabatch.
        notes: What is missing or odd in the records, in sentences.
        parts: The studies that it is put together from, see
            :mod:`analysis.runs.several_studies`; else empty.
        load_examples: Run id → a trial's outcomes by example, see
            :mod:`study.tracking.artifacts.history`; None where it has left none. Read only of
            trials that are judged.
    """

    study: StudyFacts
    trials: "pd.DataFrame"
    megabatches: "pd.DataFrame"
    notes: tuple[str, ...] = ()
    load_layers: Callable[[], "pd.DataFrame"] = histories.no_layers
    parts: "tuple[Runs, ...]" = ()
    load_confirmation: "Callable[[], Runs | None]" = _no_confirmation
    load_examples: "Callable[[str], pd.DataFrame | None]" = _no_examples

    @cached_property
    def layers(self) -> "pd.DataFrame":
        """The sparsity ledger: one row a trial, megabatch and layer. Read when first asked for."""
        return self.load_layers()

    @cached_property
    def confirmation(self) -> "Runs | None":
        """The study that confirms it, itself if it is one that confirms; None for none."""
        return self if self.study.confirms else self.load_confirmation()

    @property
    def searched_for(self) -> tuple[str, ...]:
        """What any of its studies optimises, each once; empty where none is a search."""
        every = (name for part in self.parts or (self,) for name in part.study.objectives)
        return tuple(dict.fromkeys(every))

    def so_far(self, metric: str) -> "pd.Series":
        """A metric; of trials that did not finish, where they were heading or have come to."""
        values = self.trials[metric].astype(float)
        return (
            values.fillna(self.trials[frames.SO_FAR[metric]])
            if metric in frames.SO_FAR
            else values
        )

    @cached_property
    def candidates(self) -> "pd.DataFrame":
        """All trials but those that broke a constraint at their end: what may be a winner.

        Of several studies each trial is held to the constraints of its own.
        """
        if not self.parts:
            return summary.within(self.trials, self.study.constraints)
        kept = {key for part in self.parts for key in part.candidates[frames.KEY]}
        return self.trials[self.trials[frames.KEY].isin(kept)]

    @cached_property
    def complete(self) -> "pd.DataFrame":
        """The trials that reached the end of their stream."""
        return self.trials[self.trials["outcome"] == Outcome.COMPLETE]
