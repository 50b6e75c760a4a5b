"""Earlier studies that a search may learn from, read from the store or the tracker."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from study.config.domains import Choices
from study.config.space import Dimension
from study.config.study_config import StudyConfig
from study.config.trial import flatten, parse_trial
from study.config.yaml_io import read_yaml
from study.errors import StudyError
from study.results import Outcome, TrialHistory
from study.store.folder import StudyFolder, StudyStore
from study.store.record import Record, RecordedTrial
from study.tracking import names
from study.tracking.facts import TrackedStudy, TrackedTrial
from study.tracking.tracker import Tracker
from study.trial.params import as_param


@dataclass(frozen=True)
class EarlierTrial:
    """A trial of an earlier study, wherever that is known from.

    Attributes:
        key: Its identity, over everything but where the data lies.
        value_of: Its value of a searched path; None where it has none.
        outcome: None where it is running or was interrupted.
    """

    key: str
    value_of: Callable[[Dimension], Any]
    outcome: Outcome | None
    history: TrialHistory


@dataclass(frozen=True)
class EarlierStudy:
    """A study to transfer trials from; ``title`` has its place, where that is not the store."""

    title: str
    service_after: float
    trials: tuple[EarlierTrial, ...]


def read_transferred_trials(
    study: StudyConfig, store: StudyStore, tracker: Tracker
) -> tuple[EarlierStudy, ...]:
    """The studies that ``search.warm_start`` names: from the store, or else from the tracker.

    To be called before anything of the study is written, so that what is wrong with them
    leaves nothing behind.

    Raises:
        StudyError: One is in neither, or its record or its file is damaged.
    """
    names_asked = study.search.warm_start if study.search else ()
    return tuple(_find(name, study, store, tracker) for name in names_asked)


def _find(name: str, study: StudyConfig, store: StudyStore, tracker: Tracker) -> EarlierStudy:
    folder = store.folder(name)
    if folder.exists:
        return _recorded(folder)
    tracked = tracker.read_study(name)
    if tracked is None:
        raise StudyError(
            f"search.warm_start: {store.place.no_such_study(name)}, and none under the experiment "
            f"{study.tracking.experiment!r} in {tracker.address}"
        )
    if not tracked.config_yaml:
        raise StudyError(
            f"search.warm_start: the study {name!r} has lost its {names.CONFIG_ARTIFACT} in "
            f"{tracker.address}, without which its errors cannot be compared; leave it out"
        )
    return _tracked(tracked, title=f"{name} in {tracker.address}")


def _recorded(folder: StudyFolder) -> EarlierStudy:
    service_after = _service_after(folder.read_plain())
    trials = Record.read(folder.record_path).trials.values()
    return earlier_study(folder.name, trials, service_after=service_after)


def earlier_study(
    title: str, trials: Iterable[RecordedTrial], *, service_after: float = 1.0
) -> EarlierStudy:
    """Recorded trials as an earlier study."""
    return EarlierStudy(title, service_after, tuple(map(_recorded_trial, trials)))


def _recorded_trial(trial: RecordedTrial) -> EarlierTrial:
    own = parse_trial(trial.config)
    flat = flatten(own.to_dict())
    return EarlierTrial(own.key(), lambda d: flat.get(d.path), trial.outcome, trial.history)


def _tracked(study: TrackedStudy, *, title: str) -> EarlierStudy:
    service_after = _service_after(read_yaml(study.config_yaml))
    return EarlierStudy(title, service_after, tuple(map(_tracked_trial, study.trials)))


def _tracked_trial(trial: TrackedTrial) -> EarlierTrial:
    return EarlierTrial(
        trial.key, lambda d: _from_param(d, trial.params), trial.outcome, trial.history
    )


def _from_param(dimension: Dimension, params: Mapping[str, str]) -> Any:
    """A param's value as the domain has it; the key shows whether it is that to the last bit."""
    text, domain = params.get(dimension.path, ""), dimension.domain
    if isinstance(domain, Choices):
        return next((v for v in domain.values if str(as_param(v)) == text), None)
    try:
        return int(text) if domain.is_integer else float(text)
    except ValueError:
        return None


def _service_after(raw: Mapping[str, Any]) -> float:
    return float(raw.get("objective", {}).get("service_after", 1.0))
