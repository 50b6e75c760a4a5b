"""Tune's searcher: interrupted trials first, then the study's points, then Optuna's proposals."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import optuna
from ray.tune.search import Searcher

from study.config.trial import TrialConfig
from study.results import Outcome
from study.search.arms import SearchedArms
from study.search.optuna_study import Proposals
from study.session.session import StudySession
from study.store.record import RecordedTrial
from study.tracking.names import PROPOSED_POINT
from study.tune.cluster.nodes import Nodes
from study.tune.worker_deaths import NODE_DIED, Deaths

# So many known configurations in a row, and the search space counts as exhausted.
MAX_REPEATS_IN_A_ROW = 100


class StudySearch(Searcher):
    """Proposes the trials of a study and passes their results to Optuna.

    Unlike in Tune's own OptunaSearch, a trial stopped early is *pruned* to
    Optuna and not complete, one without a finite value is failed, the same configuration is never
    trained twice, and nothing is restored from a pickle: all is rebuilt from the record.
    """

    def __init__(
        self,
        session: StudySession,
        *,
        dataset_of: Callable[[Mapping[str, Any]], str],
        deaths: Deaths,
        nodes: Nodes | None = None,
    ) -> None:
        super().__init__()
        study = session.study
        self.is_over = False
        self._session = session
        self._deaths = deaths
        self._dataset_of = dataset_of
        self._proposals = SearchedArms(study, session.record) if study.search else None
        self._to_continue = deque(session.record.unfinished())
        self._points = deque(study.points)
        self._nodes = nodes  # of a cluster
        self._keys: dict[str, str] = {}
        self._optuna_trials: dict[str, optuna.Trial] = {}
        self._waiting: dict[str, list[optuna.Trial]] = {}
        self._is_blocked = False  # until a trial ends

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles it for a restore that a study never uses."""
        return {}

    def set_search_properties(
        self,
        metric: Any,
        mode: Any,
        config: Mapping[str, Any],
        **spec: Any,
    ) -> bool:
        """Nothing to set: the study has it all."""
        return True

    def suggest(self, trial_id: str) -> Any:
        """The next trial's configuration, ``FINISHED``, or None for "ask again later"."""
        if self._is_blocked or (self._nodes and len(self._keys) >= self._nodes.max_trials):
            return None
        with self._session.captured_errors():
            recorded = self._next()
        if recorded is None:
            # On a cluster, a node may turn out unfit for the trial it has.
            may_come_back = self._nodes is not None and bool(self._keys)
            self.is_over = not self._is_blocked and not may_come_back
            return Searcher.FINISHED if self.is_over else None
        self._keys[trial_id] = recorded.key
        return {
            "trial_key": recorded.key,
            "trial": dict(recorded.config),
            "dataset": self._dataset_of(recorded.config),
            "avoid": sorted(self._nodes.unfit) if self._nodes else [],
        }

    @property
    def has_more(self) -> bool:
        """Whether trials remain although Tune was given ``FINISHED``."""
        return self.is_over and bool(self._to_continue)

    def is_exhausted(self) -> bool:
        """Whether nothing remains to try, so that Tune need not start."""
        study, record = self._session.study, self._session.record
        points = {study.compose(chosen).key() for chosen in self._points}
        return (
            not self._to_continue
            and points <= set(record.trials)
            and self._num_proposed() >= study.num_proposals
        )

    def _num_proposed(self) -> int:
        trials = self._session.record.trials.values()
        return sum(trial.source == "search" for trial in trials)

    def _next(self) -> RecordedTrial | None:
        if self._to_continue:
            recorded = self._to_continue.popleft()
            self._enqueue(recorded)
            return recorded
        for trial, chosen in self._remaining_points():
            recorded = self._session.propose(
                trial, source="point", chosen=chosen, proposed_by=PROPOSED_POINT
            )
            self._enqueue(recorded)
            return recorded
        return self._search() if self._proposals else None

    def _remaining_points(self) -> Iterator[tuple[TrialConfig, Mapping[str, Any]]]:
        while self._points:
            chosen = self._points.popleft()
            trial = self._session.study.compose(chosen)
            if trial.key() not in self._session.record.trials:
                yield trial, chosen

    def _enqueue(self, recorded: RecordedTrial) -> None:
        if self._proposals and recorded.key not in self._optuna_trials:
            optuna_trial = self._proposals.enqueue(recorded.chosen)
            if optuna_trial is not None:
                self._optuna_trials[recorded.key] = optuna_trial

    def _search(self) -> RecordedTrial | None:
        assert self._proposals is not None
        while (proposals := self._proposals.next()) is not None:
            recorded = self._ask(proposals)
            # Else the results of the running trials may lead elsewhere.
            self._is_blocked = recorded is None and bool(self._waiting)
            if recorded is not None or self._is_blocked:
                return recorded
            self._session.display.notice(
                f"{self._proposals.exhaust(proposals)}: the sampler proposed "
                f"{MAX_REPEATS_IN_A_ROW} configurations in a row that are known, or certain to "
                f"break a constraint; the search space is exhausted"
            )
        return None

    def _ask(self, proposals: Proposals) -> RecordedTrial | None:
        """The next configuration that is new and may keep the constraints.

        None after too many in a row that are not.
        """
        record = self._session.record
        for _ in range(MAX_REPEATS_IN_A_ROW):
            optuna_trial, chosen = proposals.ask()
            violated = proposals.broken_by(chosen)
            if violated:
                self._refuse(proposals, optuna_trial, chosen, violated)
                continue
            trial = self._session.study.compose(chosen)
            known = record.trials.get(trial.key())
            if known is None:
                self._optuna_trials[trial.key()] = optuna_trial
                proposed_by = proposals.proposed_by(optuna_trial)
                return self._session.propose(
                    trial, source="search", chosen=chosen, proposed_by=proposed_by
                )
            record.add_repeat(known.key, chosen)
            if known.outcome is None:
                self._waiting.setdefault(known.key, []).append(optuna_trial)
            else:
                proposals.tell(optuna_trial, known)
        return None

    def _refuse(
        self,
        proposals: Proposals,
        optuna_trial: optuna.Trial,
        chosen: Mapping[str, Any],
        violated: Mapping[str, float],
    ) -> None:
        """A proposal is not trained, since its configuration says that it breaks a constraint."""
        record = self._session.record
        if not record.refused:
            self._session.display.notice(
                f"proposals that are certain to break {' and '.join(violated)} are refused before "
                f"they are trained; the search learns from them"
            )
        record.add_refused(chosen)
        proposals.refuse(optuna_trial, violated)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing: the session records results, and passes them to Optuna at the end."""

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A trial has left its actor: record its outcome if it has none, and pass it to Optuna."""
        key = self._keys.pop(trial_id, None)
        if key is None:
            return
        deaths, recorded = self._deaths, self._session.record.trials[key]
        if self._is_interrupted(recorded, result or {}, error=error):
            self._to_continue.appendleft(recorded)
            self._is_blocked = False
            return
        with self._session.captured_errors():
            if error:
                reason = deaths.reason(key, deaths.last_cause(key))
                self._session.finish_trial(key, Outcome.ERROR, reason)
            elif result is not None:
                self._session.finish_trial(key, Outcome.EARLY_STOPPED)
        self._is_blocked = False
        own = self._optuna_trials.pop(key, None)
        waiting = self._waiting.pop(key, [])
        if self._proposals:
            for optuna_trial in [*([own] if own else []), *waiting]:
                self._proposals.tell(optuna_trial, recorded)

    def _is_interrupted(
        self, recorded: RecordedTrial, result: Mapping[str, Any], *, error: bool
    ) -> bool:
        """Whether a trial left its actor without an outcome, and is to continue on another."""
        if recorded.outcome is not None:
            return False
        if not error:
            return bool(result.get("unfit_node"))
        deaths = self._deaths
        # Or another death is allowed: Tune reports one death twice.
        return deaths.last_cause(recorded.key) == NODE_DIED or deaths.is_counted(recorded.key)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the study's record holds all."""

    def restore(self, checkpoint_path: str) -> None:
        """Never called: a resumed study is a new search made from the record."""
        raise RuntimeError("a study is resumed from its record, with app-study resume")
