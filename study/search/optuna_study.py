"""What to try next: an Optuna study in memory, made from the record."""

from collections import deque
from collections.abc import Mapping
from typing import Any

import optuna

from study.config.arms import SearchArm, belongs
from study.config.space import Dimension
from study.config.study_config import StudyConfig
from study.metrics import METRICS
from study.search.distributions import as_label, distribution, suggest
from study.search.explored import Explored
from study.search.feasibility import broken
from study.search.optuna_result import OptunaResult, optuna_result
from study.search.samplers import GENERATION, draws_at_random, learns_places, make_sampler
from study.search.tried import num_asked, untried_cells, untried_places
from study.seeding import derive_seed
from study.store.record import Record, RecordedTrial
from study.tracking.names import PROPOSED_EARLIER, PROPOSED_RANDOM

optuna.logging.set_verbosity(optuna.logging.WARNING)

_PROPOSED_BY = "proposed_by"
# A sampler that insists on a place gets it.
_MOST_REDRAWN = 30


def make_optuna_study(study: StudyConfig, *, num_recorded: int) -> optuna.Study:
    """An empty study in memory, its sampler seeded by the study's seed and its progress.

    ``num_recorded`` goes into the seed so that a resumed study does not propose its beginning
    again.
    """
    return optuna.create_study(
        directions=[METRICS[name].direction for name in study.objective.metrics],
        sampler=_sampler(study, num_recorded),
    )


def _sampler(study: StudyConfig, number: int) -> optuna.samplers.BaseSampler:
    assert study.search is not None
    seed = derive_seed(study.search.seed, "sampler", number) % 2**32
    return make_sampler(study.search.sampler, seed)


class Proposals:
    """Asks Optuna for configurations and tells it their results.

    Args:
        study: With a search.
        record: Trials that are recorded already are known from the start, and so are those of
            earlier studies.
        arm: Of the study's arms, the one in which alone is searched. What is proposed there
            depends on how many proposals the arm has had and on how its trials ended, so that a
            resumed study goes on as if it had not been interrupted (``nsga2`` begins a new
            generation). Arms draw with the same seeds.
    """

    def __init__(
        self, study: StudyConfig, record: Record, *, arm: SearchArm | None = None
    ) -> None:
        assert study.search is not None
        self.study = study
        self.arm = arm
        self.optuna_study = make_optuna_study(study, num_recorded=len(record.trials))
        self._dimensions = [d for d in study.space.dimensions if d.path not in (arm or {})]
        self._num_asked = num_asked(record, arm) if arm else 0
        self._limits = study.objective.limits
        self._grid = untried_cells(study, record) if study.search.sampler == "grid" else None
        self._places = untried_places(record)
        self._explored = Explored(self._dimensions)
        self._learn(record)

    def _learn(self, record: Record) -> None:
        """Everything that is recorded, in the order in which it was proposed."""
        for prior in record.priors:
            self._add_recorded(prior, prior.chosen)
        refused = deque(record.refused)
        for number, trial in enumerate(record.trials.values()):
            while refused and refused[0][0] <= number:
                self._add_refused(refused.popleft()[1])
            self._add_recorded(trial, trial.chosen)
        for _, chosen in refused:
            self._add_refused(chosen)
        for key, chosen in record.repeats:
            self._add_recorded(record.trials[key], chosen)

    def ask(self) -> tuple[optuna.Trial, dict[str, Any]]:
        """A new proposal: Optuna's trial and the chosen values."""
        if self._grid:
            return self._given(self._grid.popleft(), by=self._sampler)
        if self._places:
            return self._given(self._places.popleft(), by=PROPOSED_EARLIER)
        if self.arm:
            self.optuna_study.sampler = _sampler(self.study, self._num_asked)
            self._num_asked += 1
        trial, chosen = self._ask()
        is_random = draws_at_random(self._sampler, self.optuna_study, trial)
        if not is_random and learns_places(self._sampler):
            trial, chosen = self._elsewhere(trial, chosen)
        self._explored.add(chosen)
        trial.set_user_attr(_PROPOSED_BY, PROPOSED_RANDOM if is_random else self._sampler)
        return trial, chosen

    def _given(self, chosen: Mapping[str, Any], *, by: str) -> tuple[optuna.Trial, dict[str, Any]]:
        """Values that need not be drawn, as a proposal."""
        trial = self.enqueue(chosen)
        assert trial is not None, "given values lie in the space"
        self._explored.add(chosen)
        trial.set_user_attr(_PROPOSED_BY, by)
        return trial, dict(chosen)

    def _elsewhere(
        self, trial: optuna.Trial, chosen: dict[str, Any]
    ) -> tuple[optuna.Trial, dict[str, Any]]:
        """The proposal, or a later one that is not beside what was tried already."""
        for _ in range(_MOST_REDRAWN):
            if not self._explored.is_near(chosen):
                break
            self.fail(trial)
            trial, chosen = self._ask()
        return trial, chosen

    @property
    def _sampler(self) -> str:
        assert self.study.search is not None
        return self.study.search.sampler

    def _ask(self) -> tuple[optuna.Trial, dict[str, Any]]:
        trial = self.optuna_study.ask()
        chosen: dict[str, Any] = dict(self.arm or {})
        for dimension in self._dimensions:
            if dimension.is_active({**self.study.fixed, **chosen}):
                chosen[dimension.path] = suggest(trial, dimension)
        return trial, chosen

    def enqueue(self, chosen: Mapping[str, Any]) -> optuna.Trial | None:
        """Optuna's trial for given values; None where they lie outside the space."""
        active = self.active(chosen)
        if active is None:
            return None
        self.optuna_study.enqueue_trial(
            {dimension.path: as_label(chosen[dimension.path]) for dimension in active}
        )
        return self._ask()[0]

    def proposed_by(self, trial: optuna.Trial) -> str:
        """The sampler that chose a trial it was asked for; ``random`` where it drew."""
        return str(trial.user_attrs[_PROPOSED_BY])

    def tell(self, trial: optuna.Trial, recorded: RecordedTrial) -> None:
        """The result of a trial: a value only if it is complete and every objective a number."""
        result = optuna_result(recorded, self.study.objective)
        for step, value in result.intermediate.items():
            trial.report(value, step)
        for name, violation in result.violations.items():
            trial.set_constraint(name, violation)
        self.optuna_study.tell(trial, result.values, state=result.state)

    def tell_substitute(self, trial: optuna.Trial, recorded: RecordedTrial) -> None:
        """The result of a trial near the one proposed, which was trained in its place."""
        asked = self.optuna_study.get_trials(deepcopy=False)[trial.number]
        generation = asked.system_attrs.get(GENERATION, 0)
        self.fail(trial)
        self._add_recorded(recorded, recorded.chosen, generation=generation)

    def broken_by(self, chosen: Mapping[str, Any]) -> dict[str, float]:
        """The constraints that proposed values are certain to break, and how far."""
        return broken(self.study.compose(chosen), (), self._limits) if self._limits else {}

    def refuse(self, trial: optuna.Trial, violations: Mapping[str, float]) -> None:
        """Close a trial that is not trained, since it is certain to break constraints."""
        for name, violation in violations.items():
            trial.set_constraint(name, violation)
        self.optuna_study.tell(trial, state=optuna.trial.TrialState.PRUNED)

    def fail(self, trial: optuna.Trial) -> None:
        """Close a trial that leads nowhere."""
        self.optuna_study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def active(self, chosen: Mapping[str, Any]) -> list[Dimension] | None:
        """The searched paths that ``chosen`` gives a value to; None if it lies outside.

        Those of the arm are none of them: they are the same in each of its trials.
        """
        arm = self.arm or {}
        flat = {**self.study.fixed, **chosen}
        active = [d for d in self._dimensions if d.is_active(flat)]
        covered = {d.path for d in active} | set(arm)
        inside = belongs(chosen, arm) and all(
            d.path in chosen and chosen[d.path] in d.domain for d in active
        )
        return active if inside and set(chosen) == covered else None

    def _add_refused(self, chosen: Mapping[str, Any]) -> None:
        violations = self.broken_by(chosen)
        state = optuna.trial.TrialState.PRUNED
        self._add(chosen, OptunaResult(state, None, {}, violations), attributes={})

    def _add_recorded(
        self, recorded: RecordedTrial, chosen: Mapping[str, Any], *, generation: int = 0
    ) -> None:
        if recorded.outcome is None:  # it is to be continued
            if self.active(chosen) is not None:
                self._explored.add(chosen)
            return
        attributes = {"trial_key": recorded.key}
        result = optuna_result(recorded, self.study.objective)
        self._add(chosen, result, attributes=attributes, generation=generation)

    def _add(
        self,
        chosen: Mapping[str, Any],
        result: OptunaResult,
        *,
        attributes: Mapping[str, Any],
        generation: int = 0,
    ) -> None:
        active = self.active(chosen)
        if active is None:
            return
        self._explored.add(chosen)
        self.optuna_study.add_trial(
            optuna.trial.create_trial(
                state=result.state,
                values=result.rebuilt_values,
                params={d.path: as_label(chosen[d.path]) for d in active},
                distributions={d.path: distribution(d.domain) for d in active},
                user_attrs=dict(attributes),
                # What is recorded is the first generation, from which NSGA-II goes on.
                system_attrs={GENERATION: generation},
                intermediate_values=dict(result.intermediate),
                constraints=dict(result.violations),
            )
        )
