"""What is logged of studies, trials, data and models, and what is read back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.results import Outcome, TrialHistory


@dataclass(frozen=True)
class StudyInfo:
    """What is logged of a study.

    Attributes:
        name: The study's name, unique in its store.
        description: The user's own words, may be empty.
        config_yaml: The study file as it was launched, overrides included.
        objectives: Metric names that the search optimises; empty where nothing is searched.
        params: Flat facts for the parent run, dotted names.
        fingerprint: Hash over the resolved configuration.
        shown_metrics: Metric names that are shown of its trials; the first ranks them.
        varied: Dotted paths in which its trials differ.
        confirms: The study whose best trials it runs again; empty for none.
        study_id: By which it is told from another study of its name; empty for that of a record
            without one.
    """

    name: str
    description: str
    config_yaml: str
    objectives: tuple[str, ...]
    params: Mapping[str, str | int | float | bool]
    fingerprint: str
    shown_metrics: tuple[str, ...] = ()
    varied: tuple[str, ...] = ()
    confirms: str = ""
    study_id: str = ""


@dataclass(frozen=True)
class DatasetInfo:
    """What a trial is trained on.

    Attributes:
        name: Of the data set.
        digest: Hash over all its images and labels, at most 36 characters.
        settings: What it was made with; never where it lies.
        profile: Its sizes.
    """

    name: str
    digest: str
    settings: Mapping[str, Any]
    profile: Mapping[str, Any]


@dataclass(frozen=True)
class TrialInfo:
    """What is logged of a trial before it starts.

    Attributes:
        key: Hash of configuration and seed, the trial's one identity within its study.
        number: 0-based order of proposal.
        title: What it is, for people, e.g. ``app d=0.20 T=8 resnet20 seed=1``.
        params: The resolved configuration by dotted path; the same keys for every trial.
        hyperparameters: The numeric ones, with a neutral value where a method has none.
        tags: ``method``, ``architecture``, ``dataset``, ``fingerprint`` …
        config_yaml: The resolved configuration, which ``app-study run`` accepts.
        dataset: What it is trained on; None where that is unknown.
        started_at: When it was proposed, in seconds since 1970; 0 where that is unknown.
    """

    key: str
    number: int
    title: str
    params: Mapping[str, str | int | float | bool]
    hyperparameters: Mapping[str, float]
    tags: Mapping[str, str]
    config_yaml: str
    dataset: DatasetInfo | None = None
    started_at: float = 0.0


@dataclass(frozen=True)
class TrackedTrial:
    """A trial as a tracker has it.

    Attributes:
        key: Hash of configuration and seed.
        params: The resolved configuration by dotted path, as text.
        outcome: How it ended; None where it is running or was interrupted.
        history: Its megabatches, without layers, if it ended by itself; no epochs. Empty where
            they are lost.
    """

    key: str
    params: Mapping[str, str]
    outcome: Outcome | None
    history: TrialHistory


@dataclass(frozen=True)
class TrackedStudy:
    """A study as a tracker has it.

    Attributes:
        config_yaml: The study file as it was launched; empty where it is lost.
        trials: A trial of each key, in order of their start.
    """

    config_yaml: str
    trials: tuple[TrackedTrial, ...]


@dataclass(frozen=True)
class ModelInfo:
    """What is logged of a model in service.

    Attributes:
        name: What it is within its study, e.g. ``trial 3 megabatch 7``.
        folder: Its files, with the card; they stay where they are until the study has ended.
        step: 0-based megabatch after which it went into service.
        image_shape: Channels, height, width of the ``uint8`` images that it takes.
        num_classes: Logits that it gives for each.
        loader: Module by which MLflow loads it.
        loaded_file: What of the folder the loader is given; empty for all of it.
        metric_names: Its own, of those that its run has at this step.
        params: A few facts in which models differ.
    """

    name: str
    folder: Path
    step: int
    image_shape: tuple[int, int, int]
    num_classes: int
    loader: str
    loaded_file: str
    metric_names: tuple[str, ...]
    params: Mapping[str, str | int | float | bool]
