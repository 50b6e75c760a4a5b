"""What to try next: an Optuna study in memory, made from the record."""

from collections import deque
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import TrialState

from study.config.arms import SearchArm, belongs
from study.config.space import Dimension
from study.config.study_config import StudyConfig
from study.metrics import METRICS
from study.search.distributions import suggest
from study.search.explored import Explored, most_redrawn
from study.search.feasibility import broken
from study.search.known_trials import KnownTrial, KnownTrials, labels
from study.search.optuna_result import OptunaResult, optuna_result
from study.search.samplers import (
    GENERATION,
    draws_at_random,
    forgets,
    learns_places,
    seeded_sampler,
)
from study.search.tried import num_asked, untried_cells, untried_places
from study.store.record import Record, RecordedTrial
from study.tracking.names import PROPOSED_EARLIER, PROPOSED_RANDOM

optuna.logging.set_verbosity(optuna.logging.WARNING)

_PROPOSED_BY = "proposed_by"


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
        self.study, self._search = study, study.search
        self.arm = arm
        self._dimensions = [d for d in study.space.dimensions if d.path not in (arm or {})]
        self._num_asked = num_asked(record, arm) if arm else 0
        self._limits = study.objective.limits
        self._grid = untried_cells(study, record) if study.search.sampler == "grid" else None
        self._places = untried_places(record)
        self._explored = Explored(self._dimensions)
        self._known = KnownTrials(
            study.objective.metrics, keeps_all=not forgets(study.search.sampler)
        )
        self._asked: dict[optuna.Trial, KnownTrial] = {}  # by what was handed out; they run
        self._learn(record)
        # By the study's progress, so that a resumed one does not propose its beginning again.
        self.optuna_study = self._made_of_known(seeded_sampler(study.search, len(record.trials)))

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
            self.optuna_study.sampler = seeded_sampler(self._search, self._num_asked)
            self._num_asked += 1
        self._make_room()
        trial, chosen = self._ask(self.optuna_study)
        is_random = draws_at_random(self._sampler, self.optuna_study, trial)
        if not is_random and learns_places(self._sampler):
            trial, chosen = self._elsewhere(trial, chosen)
        self._hand_out(trial, chosen)
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
        for _ in range(most_redrawn(self._known.num_added)):
            if not self._explored.is_near(chosen):
                break
            self.optuna_study.tell(trial, state=TrialState.FAIL)
            trial, chosen = self._ask(self.optuna_study)
        return trial, chosen

    @property
    def _sampler(self) -> str:
        return self._search.sampler

    def _ask(self, optuna_study: optuna.Study) -> tuple[optuna.Trial, dict[str, Any]]:
        trial = optuna_study.ask()
        chosen: dict[str, Any] = dict(self.arm or {})
        for dimension in self._dimensions:
            if dimension.is_active({**self.study.fixed, **chosen}):
                chosen[dimension.path] = suggest(trial, dimension)
        return trial, chosen

    def _make_room(self) -> None:
        """Have Optuna forget trials, and what it was asked in vain, before it is asked again."""
        if self._known.make_room():
            self.optuna_study = self._made_of_known(self.optuna_study.sampler)

    def _hand_out(self, trial: optuna.Trial, chosen: Mapping[str, Any]) -> None:
        active = [d for d in self._dimensions if d.path in chosen]
        self._asked[trial] = self._known.add(KnownTrial(chosen, active, asked=trial))

    def enqueue(self, chosen: Mapping[str, Any]) -> optuna.Trial | None:
        """Optuna's trial for given values; None where they lie outside the space."""
        active = self.active(chosen)
        if active is None:
            return None
        self._make_room()
        trial = self._enqueued(self.optuna_study, labels(chosen, active))
        self._hand_out(trial, chosen)
        return trial

    def _enqueued(self, optuna_study: optuna.Study, params: Mapping[str, Any]) -> optuna.Trial:
        optuna_study.enqueue_trial(dict(params))
        return self._ask(optuna_study)[0]

    def proposed_by(self, trial: optuna.Trial) -> str:
        """The sampler that chose a trial it was asked for; ``random`` where it drew."""
        return str(trial.user_attrs[_PROPOSED_BY])

    def tell(self, trial: optuna.Trial, recorded: RecordedTrial) -> None:
        """The result of a trial: a value only if it is complete and every objective a number."""
        self._end(trial, optuna_result(recorded, self.study.objective), key=recorded.key)

    def tell_substitute(self, trial: optuna.Trial, recorded: RecordedTrial) -> None:
        """The result of a trial near the one proposed, which was trained in its place."""
        result = optuna_result(recorded, self.study.objective)
        number = self.fail(trial).number
        failed = self.optuna_study.get_trials(deepcopy=False)[number]
        generation = failed.system_attrs.get(GENERATION, 0)
        self._make_room()
        known = self._add(recorded.chosen, result, key=recorded.key, generation=generation)
        if known is not None:
            self.optuna_study.add_trial(known.ended(result))

    def broken_by(self, chosen: Mapping[str, Any]) -> dict[str, float]:
        """The constraints that proposed values are certain to break, and how far."""
        return broken(self.study.compose(chosen), (), self._limits) if self._limits else {}

    def refuse(self, trial: optuna.Trial, violations: Mapping[str, float]) -> None:
        """Close a trial that is not trained, since it is certain to break constraints."""
        self._end(trial, OptunaResult(TrialState.PRUNED, None, {}, violations))

    def fail(self, trial: optuna.Trial) -> optuna.Trial:
        """Close a trial that leads nowhere; it as Optuna has it by now."""
        known = self._asked.pop(trial)
        self._known.remove(known)
        self.optuna_study.tell(known.running, state=TrialState.FAIL)
        return known.running

    def _end(self, trial: optuna.Trial, result: OptunaResult, *, key: str = "") -> None:
        known = self._asked.pop(trial)
        for step, value in result.intermediate.items():
            known.running.report(value, step)
        for name, violation in result.violations.items():
            known.running.set_constraint(name, violation)
        self.optuna_study.tell(known.running, result.values, state=result.state)
        known.end(result, key)

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
        self._add(chosen, OptunaResult(TrialState.PRUNED, None, {}, self.broken_by(chosen)))

    def _add_recorded(self, recorded: RecordedTrial, chosen: Mapping[str, Any]) -> None:
        if recorded.outcome is not None:
            self._add(chosen, optuna_result(recorded, self.study.objective), key=recorded.key)
        elif self.active(chosen) is not None:  # it is to be continued
            self._explored.add(chosen)

    def _add(
        self,
        chosen: Mapping[str, Any],
        result: OptunaResult,
        *,
        key: str = "",
        generation: int = 0,
    ) -> KnownTrial | None:
        """From now on known; None where it lies outside the space."""
        active = self.active(chosen)
        if active is None:
            return None
        self._explored.add(chosen)
        self._known.make_room()
        return self._known.add(KnownTrial(chosen, active, result, key, generation))

    def _made_of_known(self, sampler: optuna.samplers.BaseSampler) -> optuna.Study:
        """A study in memory of the trials that are known, to be gone on with by ``sampler``."""
        made = optuna.create_study(
            directions=[METRICS[name].direction for name in self.study.objective.metrics],
            # So that nothing is drawn for the running trials, whose values are given.
            sampler=optuna.samplers.RandomSampler(),
        )
        for known in self._known:
            if known.result is None:
                known.asked = self._enqueued(made, known.params)
            else:
                made.add_trial(known.ended(known.result))
        made.sampler = sampler
        return made
