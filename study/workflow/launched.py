"""A launched study in a program's hands: watched, continued, read, exported."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

from study.config.problems import in_file
from study.workflow.addresses import with_data_root, with_override
from study.workflow.confirmation import chosen_options, confirm_study
from study.workflow.exporting import (
    ExportOptions,
    Registration,
    check_export_options,
    export_trials,
    registered_model,
)
from study.workflow.watching import read_study_status, watch_study
from study.workflow.whole import run_whole
from study.workflow.workplace import Workplace

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs
    from study.config.study_config import StudyConfig
    from study.operations.opened_study import OpenedStudy
    from study.operations.status import StudyStatus
    from study.session.end import StudyEnd


@dataclass(frozen=True)
class LaunchedStudy:
    """A study that was launched; made by ``launch`` and ``open_study`` of :mod:`study.api`.

    Attributes:
        name: Its own, which is NAME-2 where NAME was taken.
        store: Path or URL of the folder of all studies.
        tracking_uri: MLflow's address.
        reports: Folder of the reports.
        console: Where what is trained is shown.
        kept_uri: MLflow's address as it was given, which a study that confirms this one keeps;
            None where nobody gave one.
    """

    name: str
    store: str
    tracking_uri: str
    reports: Path
    console: Console
    kept_uri: str | None = None

    def status(self) -> "StudyStatus":
        """How far it is: trials, the best so far, time left; read while it runs, too."""
        from study.store.store import StorePlace

        return read_study_status(StorePlace.from_address(self.store), self.name)

    def watch(self, every_s: float = 2.0) -> "Iterator[StudyStatus]":
        """Its status every so many seconds, until no process is at work on it any more."""
        from study.store.store import StorePlace

        return watch_study(StorePlace.from_address(self.store), self.name, every_s=every_s)

    def resume(self, *, data_root: Path | str | None = None) -> "LaunchedStudy":
        """Resume it after an interruption, to the end of its confirmation.

        Args:
            data_root: Where the data lies now, if not where it lay.

        Raises:
            UserError: It cannot be run.
            KeyboardInterrupt: It was interrupted again.
        """
        from study.config.loading import load_study
        from study.store.folder import StudyStore

        folder = StudyStore(self.store).existing(self.name)
        given = with_data_root([], Path(data_root) if data_root is not None else None)
        with in_file(folder.config_path):
            study = load_study(folder.config_path, overrides=given)
            return self.run(study, fresh=False, overrides=given)

    def extend(
        self,
        *,
        trials: int | None = None,
        hours: float | None = None,
        train_flops: float | None = None,
    ) -> "LaunchedStudy":
        """Raise its budget by so much, and resume it.

        Raises:
            StudyError: There is nothing to raise, or the new budget is used up already.
        """
        from study.operations.extend import Extension, extend

        opened = self._opened()
        extend(opened.study, opened.folder, Extension(trials, hours, train_flops))
        return self.resume()

    def confirm(
        self,
        *,
        top: int | None = None,
        seeds: "int | Literal['decided'] | None" = None,
        baselines: Sequence[str] | None = None,
        trials: Sequence[int | str] = (),
        name: str | None = None,
    ) -> "LaunchedStudy":
        """Run its best and their baselines again with fresh seeds, as a study of its own.

        Args:
            top: At most so many configurations; else confirm.top, else 3.
            seeds: Fresh seeds for each, at least 2, or ``decided``; else confirm.seeds, else 8.
            baselines: ``dense`` and ``one_shot``; else confirm.baselines, else both.
            trials: Confirm these instead, by number or key.
            name: Of the new study; else NAME-confirm.

        Returns:
            The study that confirms it.

        Raises:
            ConfirmationError: There is nothing to confirm.
            KeyboardInterrupt: It was interrupted; the same call goes on with it.
        """
        from study.config.study_config import confirmation_of

        opened = self._opened()
        options = chosen_options(
            opened.study,
            top=top,
            seeds=seeds,
            baselines=tuple(baselines) if baselines is not None else None,
            trials=tuple(map(str, trials)),
        )
        new_name = name or confirmation_of(self.name)
        overrides = with_override([], "tracking.uri", self.kept_uri)
        with self._workplace() as workplace:
            end = confirm_study(opened, options, new_name, workplace, overrides=overrides)
        return self._after(end, name=end.name)

    def runs(self) -> "Runs":
        """Its results as pandas frames: ``trials``, ``megabatches``, ``layers``, ``confirmation``.

        Raises:
            ReportError: MLflow cannot be read, or does not know it.
        """
        from analysis.runs.load import load

        return load(self.name, tracking_uri=self.tracking_uri)

    def verdicts(self) -> "pd.DataFrame":
        """What was confirmed with fresh seeds, a row a configuration beside dense.

        The columns are those of :func:`analysis.comparison.verdict_frame.verdict_frame`.
        """
        from analysis.comparison.verdict_frame import verdict_frame

        return verdict_frame(self.runs())

    def answer(self) -> tuple[str, ...]:
        """The sentences that open the report."""
        from analysis.page.answer import answer

        return answer(self.runs())

    def report(self) -> Path:
        """Write the report, as far as the study is, and return its page."""
        from analysis.page.page import write_report

        out = self.reports / self.name
        return write_report(self.name, tracking_uri=self.tracking_uri, out=out).page

    def export(
        self,
        trial: int | str = "best",
        *,
        format: str = "safetensors",  # the command's word
        register: str | None = None,
        alias: str | None = None,
        replace_better: bool = False,
        **options: Any,
    ) -> list[Path]:
        """Write networks to files, each checked against the network itself.

        Args:
            trial: ``best`` in the first objective, ``pareto``, a number or a key.
            format: safetensors, state_dict, sparse, torch_export or onnx.
            register: Make it the newest version of this registered model in MLflow.
            alias: To move to that version, such as ``champion``.
            replace_better: Move it even from a model that is better on the holdout.
            **options: ``out``, ``max_density`` and ``licence`` of
                :class:`study.workflow.exporting.ExportOptions`.

        Returns:
            The folder of each model, one unless ``pareto`` is asked for.

        Raises:
            StudyError: There is no such trial, or none to choose.
            ExportError: It cannot be written in the format, or differs from the network; or the
                alias stays with a model that is better, or there is nothing that it could name.
        """
        check_export_options(format, register, alias)
        opened = self._opened()
        made = export_trials(
            opened, str(trial), ExportOptions(format, **options), only_one=register is not None
        )
        folders = []
        for card, folder in made:
            folders.append(folder)
            if register is not None:
                registration = Registration(register, alias, replace_better)
                registered_model(opened.study, card, folder, registration, self.tracking_uri)
        return folders

    def run(
        self, study: "StudyConfig", *, fresh: bool, overrides: Sequence[str] = ()
    ) -> "LaunchedStudy":
        """Start or resume ``study`` here.

        Raises:
            UserError: It cannot be run.
            KeyboardInterrupt: It was interrupted.
        """
        with self._workplace() as workplace:
            end = run_whole(study, workplace, fresh=fresh, overrides=list(overrides))
            trained = workplace.store.folder(end.name).read_config()
        if trained.confirms is None or study.confirms is not None:
            return self._after(end, name=end.name)
        return self._after(end, name=trained.confirms.study)

    def _after(self, end: "StudyEnd", *, name: str) -> "LaunchedStudy":
        if not end.is_finished and not end.why:
            raise KeyboardInterrupt
        return replace(self, name=name)

    def _opened(self) -> "OpenedStudy":
        from study.operations.opened_study import OpenedStudy

        return OpenedStudy.open(self.name, self.store, None)

    @contextlib.contextmanager
    def _workplace(self) -> Iterator[Workplace]:
        from study.store.folder import StudyStore
        from study.tune.cluster.study_ray import StudyRay

        with StudyRay() as ray:
            yield Workplace(
                StudyStore(self.store), self.tracking_uri, self.reports, ray, self.console
            )
