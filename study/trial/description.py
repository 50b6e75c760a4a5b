"""What is tracked of a trial, and shown to people."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

from study import __version__
from study.config.arms import arm_name
from study.config.confirm_sections import ConfirmedArm
from study.config.study_config import StudyConfig
from study.config.trial import TrialConfig
from study.config.yaml_io import write_yaml
from study.data.dataset import ImageDataset
from study.pruning.schedules import SPARSITY_BASE
from study.tracking import names
from study.tracking.facts import DatasetInfo, TrialInfo
from study.trial.assembly import facts, known_density
from study.trial.datasets import DatasetKey, dataset_key
from study.trial.params import PATHS, Scalar, as_param
from study.trial.provenance import git_commit
from study.trial.titles import method_of, title_of

# Hyper-parameters that are logged as numbers even where the study does not vary them, so that
# runs of different studies share axes.
_ALWAYS_NUMERIC = (
    "seed",
    "stream.num_megabatches",
    "training.lr",
    "training.batch_size",
    "training.weight_decay",
    "training.epochs",
    "training.samples_per_model",
    "training.total_samples",
    "training.total_flops",
)


def trial_yaml(study: StudyConfig, trial: TrialConfig) -> str:
    """A study file of this one trial, which ``app-study run`` accepts."""
    nested = trial.to_dict()
    title = title_of(nested, study.differing)
    for section, values in nested.items():
        if isinstance(values, dict):
            nested[section] = {k: v for k, v in values.items() if v is not None}
    return write_yaml(
        {
            "name": study.name,
            "description": f"Trial {trial.key()} of the study {study.name}: {title}",
            "fixed": nested,
            "objective": study.objective.model_dump(),
            "plugins": study.plugins,
        }
    )


class TrialDescriber:
    """Makes :class:`TrialInfo`, with the same keys for every trial of the study."""

    def __init__(self, study: StudyConfig, datasets: Mapping[Any, ImageDataset]) -> None:
        self._study = study
        self._datasets = datasets
        flats = [trial.flat() for trial in study.corners()]
        self._paths = sorted({path for flat in flats for path in flat} - set(PATHS))
        # Numeric somewhere in the study: the same for every trial.
        self._numeric = [
            path
            for path in dict.fromkeys((*_ALWAYS_NUMERIC, *study.varied))
            if path in _ALWAYS_NUMERIC or any(_is_number(flat.get(path)) for flat in flats)
        ]
        self._arms = study.arms()
        self._facts = functools.cache(self._make_facts)
        self._dataset_infos: dict[DatasetKey, DatasetInfo] = {}

    def describe(
        self,
        trial: TrialConfig,
        *,
        number: int,
        started_at: float = 0.0,
        updated_from: str = "",
        proposed_by: str = "",
    ) -> TrialInfo:
        """Everything that is tracked of a trial proposed at ``started_at``, as in TrialInfo."""
        flat = trial.flat() | {"data.arrivals": trial.data.arrival_names}
        params: dict[str, Scalar] = {path: as_param(flat.get(path)) for path in self._paths}
        params |= self._facts_of(trial)
        return TrialInfo(
            key=trial.key(),
            number=number,
            title=title_of(trial.to_dict(), self._study.differing),
            params=params,
            hyperparameters=self._hyperparameters(trial, flat),
            tags={
                names.TAG_METHOD: method_of(trial.to_dict()),
                names.TAG_REFERENCE_COMPAT: str(trial.pruning.reference_compat).lower(),
                names.TAG_ARCHITECTURE: trial.model.architecture,
                names.TAG_DATASET: trial.data.dataset,
                names.TAG_FINGERPRINT: trial.fingerprint(),
                names.TAG_VERSION: __version__,
                **({names.TAG_COMMIT: commit} if (commit := git_commit()) else {}),
                **({names.TAG_UPDATED_FROM: updated_from} if updated_from else {}),
                **({names.TAG_ARM: arm_name(arm)} if (arm := self._study.arm_of(flat)) else {}),
                **({names.TAG_PROPOSED_BY: proposed_by} if proposed_by else {}),
                **_role(self._arms.get(trial.key())),
            },
            config_yaml=trial_yaml(self._study, trial),
            dataset=self._dataset(trial),
            started_at=started_at,
        )

    def _dataset(self, trial: TrialConfig) -> DatasetInfo:
        key = dataset_key(trial.data)
        if key not in self._dataset_infos:
            dataset = self._datasets[key]
            self._dataset_infos[key] = DatasetInfo(
                name=key.name,
                digest=dataset.digest(),
                settings={
                    "dataset": key.name,
                    **dataclasses.asdict(key.source),
                    **({"arrivals": trial.data.arrival_names} if key.arrivals else {}),
                },
                profile={
                    "num_train": len(dataset.train_labels),
                    "num_test": 0 if dataset.test_labels is None else len(dataset.test_labels),
                    "num_classes": dataset.num_classes,
                    "image_shape": dataset.image_shape,
                },
            )
        return self._dataset_infos[key]

    def _facts_of(self, trial: TrialConfig) -> Mapping[str, Scalar]:
        # Sizes depend on data, architecture and what is excluded; the trial that came first with
        # these stands for all.
        return self._facts(_Sizes(trial))

    def _make_facts(self, sizes: "_Sizes") -> Mapping[str, Scalar]:
        dataset = self._datasets[dataset_key(sizes.trial.data)]
        return facts(sizes.trial, dataset)

    def _hyperparameters(self, trial: TrialConfig, flat: Mapping[str, Any]) -> dict[str, float]:
        return {path: _number(flat.get(path)) for path in self._numeric} | _equivalents(trial)


def _role(arm: ConfirmedArm | None) -> dict[str, str]:
    """What a trial is to the study that is confirmed."""
    tags = {}
    if arm is not None and arm.trial is not None:
        tags[names.TAG_CONFIRMED_TRIAL] = str(arm.trial)
    if arm is not None and arm.baseline_of:
        tags[names.TAG_BASELINE_OF] = ",".join(map(str, arm.baseline_of))
    if arm is not None and arm.settings_of is not None:
        tags[names.TAG_SETTINGS_OF] = str(arm.settings_of)
    return tags


class _Sizes:
    """A trial, compared by what its sizes depend on."""

    def __init__(self, trial: TrialConfig) -> None:
        self.trial = trial
        self._mark = (
            trial.data.model_dump_json(),
            trial.model.model_dump_json(),
            trial.pruning.exclude,
        )

    def __hash__(self) -> int:
        return hash(self._mark)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Sizes) and self._mark == other._mark


def _equivalents(trial: TrialConfig) -> dict[str, float]:
    """Density, τ and rate of any method, each as if it had been set: comparable by all three.

    A method that has no density to end at counts as dense.
    """
    density = known_density(trial)
    density = 1.0 if density is None else density
    return {
        "pruning.final_density": density,
        "pruning.tau": math.log(density) / math.log(SPARSITY_BASE),
        "pruning.rate": 1.0 - density ** (1.0 / trial.num_megabatches),
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float:
    """The number that a setting is; 0, which is neutral, for one that a trial has not."""
    return float(value) if _is_number(value) else 0.0
