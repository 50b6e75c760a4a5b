"""One process's run of a study on Ray Tune, everything being open."""

import gc
import shutil
from typing import TYPE_CHECKING

from study.errors import StorageError, StudyError
from study.search.budget import Budget
from study.session.end import StudyEnd, study_end
from study.session.session import StudySession, open_session
from study.session.terminal import TerminalDisplay
from study.tracking.background import BackgroundTracker
from study.trial.datasets import dataset_key, dataset_labels
from study.tune.cluster.ray_restarts import RayHasDiedError
from study.tune.cluster.ray_watch import (
    RayDiedError,
    RayWatch,
    kill_rest_of_ray,
    watched_processes,
)
from study.tune.study_parts import StudyParts
from study.tune.worker_deaths import has_lost_workers

if TYPE_CHECKING:
    from study.tune.searcher import StudySearch


class StudyRun(StudyParts):
    """This process's run of a study."""

    def execute(self) -> StudyEnd:
        """Train until all trials have ended, the budget is used up, or a signal comes."""
        display = TerminalDisplay(
            self.console,
            study=self.folder.name,
            metrics=self.study.shown_metrics,
            num_trials=self.study.num_trials,
            constraints=self.study.objective.limits,
        )
        if self.hold is not None:
            self.hold.notice = display.notice
        with BackgroundTracker(self.tracker, notice=display.notice) as tracker:
            return self._train_and_log(tracker, display)

    def _train_and_log(self, tracker: BackgroundTracker, display: TerminalDisplay) -> StudyEnd:
        record = self.record
        session = open_session(
            self.study,
            self.folder,
            record,
            self.datasets,
            tracker,
            display=display,
            fetch_models=lambda key: self._fetch_models(key, display),
        )
        budget = Budget(self.study.budget, record)
        try:
            session.resend_ended_trials()
            ended = [t for t in record.trials.values() if t.outcome is not None]
            display.recorded(ended, session.info)
            with display:
                is_finished = record.is_finished or self._train(session, budget)
        except KeyboardInterrupt:  # before Tune listens to signals, or a second one
            is_finished = False
        budget_end = None if is_finished else budget.end()
        if budget_end is not None:
            is_finished = budget_end.is_finished
        session.end(is_finished=is_finished)
        return study_end(
            record,
            is_finished=is_finished,
            budget_end=budget_end,
            undelivered=tracker.undelivered,
            unsent=self.hold.finish() if self.hold else "",
        )

    def _fetch_models(self, key: str, display: TerminalDisplay) -> None:
        """Have a trial's models here, to be logged; training does not depend on them."""
        try:
            self.folder.fetch_models(key)
        except StorageError as error:
            display.notice(
                f"a model cannot be read from the study's store; app-study resume or app-study "
                f"sync will log it to MLflow: {error}"
            )

    def _train(self, session: StudySession, budget: Budget) -> bool:
        """Train the remaining trials; whether all have ended."""
        while budget.end() is None:
            search = self._search(session)
            if search.is_exhausted():
                return True
            if self._fit(session, search, budget) and not search.has_more:
                return search.is_over and not session.record.unfinished()
        return False

    def _search(self, session: StudySession) -> "StudySearch":
        from study.tune.searcher import StudySearch

        labels = dataset_labels(self.datasets)
        return StudySearch(
            session,
            dataset_of=lambda config: labels[dataset_key(self.study.recorded(config).data)],
            deaths=self.deaths,
            nodes=self.nodes,
        )

    def _fit(self, session: StudySession, search: "StudySearch", budget: Budget) -> bool:
        """Run Tune; False where a worker's death ended it, and it is to be run again.

        Raises:
            RayHasDiedError: The program is to begin anew in its place.
            StudyError: Ray has died, and is not ours to start again, or once too often.
        """
        from study.tune.tuner import make_tuner, without_rays_mlflow

        shutil.rmtree(self.folder.ray_path, ignore_errors=True)
        with RayWatch(
            watched_processes(),
            when_stuck=lambda why: self._end_of_ray(session, why, is_stuck=True),
        ) as watch:
            try:
                with without_rays_mlflow():
                    make_tuner(self, session, search, budget, watch).fit()
                why_dead = ""
            except RayDiedError as error:
                why_dead = str(error)
            except Exception as error:  # Tune wraps ours in its own
                if session.errors:
                    raise session.errors[0] from None
                why_dead = watch.look()
                if not why_dead and not has_lost_workers(error, session, self.deaths):
                    raise
            finally:
                gc.unfreeze()
                shutil.rmtree(self.folder.ray_path, ignore_errors=True)
        if why_dead:
            self._end_of_ray(session, why_dead)
        if session.errors:
            raise session.errors[0]
        return True

    def _end_of_ray(self, session: StudySession, why: str, *, is_stuck: bool = False) -> None:
        """Say what follows from Ray's death, and have it done.

        Args:
            session: Whose terminal is written to.
            why: Ray is dead.
            is_stuck: Whether the main thread waits within Ray, and this is another one.

        Raises:
            StudyError: See :meth:`_fit`; none where the main thread is stuck.
        """
        restarts = self.restarts
        if restarts is None or not restarts.may_restart:
            if self.owns_ray:
                kill_rest_of_ray()
            session.display.notice(self._farewell(why))  # Ray may end this process any moment
            if not is_stuck:
                raise StudyError(self._farewell(why))
            return
        session.display.notice(
            f"Ray has died: {why}; it is started again, {restarts.number + 1} of at most "
            f"{restarts.MOST} times, and trials go on from their checkpoints"
        )
        if is_stuck:
            restarts.resume(self.folder.name)
        raise RayHasDiedError(self._farewell(why), self.folder.name)

    def _farewell(self, why: str) -> str:
        return f"Ray has died: {why}; resume the study with: {self.folder.command('resume')}"
