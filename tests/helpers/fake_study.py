"""A small study with plausible numbers, as MLflow would hold it and as reports see it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import pandas as pd

from analysis.runs import frames
from analysis.runs.study_runs import Runs, StudyFacts
from study import metrics
from study.results import EpochRecord, LayerDensity, MegabatchRecord, Outcome, TrialHistory
from study.tracking import names
from study.tracking.facts import StudyInfo, TrialInfo
from study.tracking.run_store import StoredRun

CHANCE = 0.9
HOLDOUT = 360
NUM_PRUNABLE = 1000


@dataclass(frozen=True)
class FakeTrial:
    """One trial's configuration, and how far it came."""

    number: int
    method: str = "app"
    t: int = 4
    density: float = 0.2
    seed: int = 0
    outcome: Outcome | None = Outcome.COMPLETE  # None: running
    megabatches: int | None = None  # None: all
    harm: float = 0.0  # added to every error
    reason: str = ""
    architecture: str = "small_conv"
    speedup: float | None = None  # None: not measured
    file_bytes: float | None = None
    flops: float = 1e9
    seconds: float = 1.5  # of a megabatch

    @property
    def key(self) -> str:
        return f"key{self.number:03d}"

    @property
    def errors(self) -> list[float]:
        """Falls along the stream, and rises as few weights are left; whole examples of 360."""
        rough = [
            0.04 + 0.36 / (2 * k) + 0.004 / self.density + self.harm + 0.003 * self.seed
            for k in range(1, self.t + 1)
        ]
        return [round(error * HOLDOUT) / HOLDOUT for error in rough]

    def densities(self) -> list[float]:
        if self.method == "one_shot":
            return [self.density] * self.t
        return [self.density ** ((k + 1) / self.t) for k in range(self.t)]

    def info(self) -> TrialInfo:
        params = {
            "data.dataset": "digits",
            "data.seed": 0,
            "data.holdout_size": HOLDOUT,
            "model.architecture": self.architecture,
            "model.num_prunable": NUM_PRUNABLE,
            "stream.num_megabatches": self.t,
            "pruning.schedule": self.method,
            "pruning.final_density": self.density,
            "training.total_samples": 10_000,
            "training.nesterov": False,
            "seed": self.seed,
        }
        return TrialInfo(
            key=self.key,
            number=self.number,
            title=f"{self.method} d={self.density:.2f} T={self.t} seed={self.seed}",
            params=params,
            hyperparameters={"pruning.final_density": self.density},
            tags={
                names.TAG_METHOD: self.method,
                names.TAG_ARCHITECTURE: self.architecture,
                names.TAG_DATASET: "digits",
                names.TAG_FINGERPRINT: "f" * 16,
            },
            config_yaml="data:\n  dataset: digits\n",
        )

    def history(self) -> TrialHistory:
        done = self.t if self.megabatches is None else self.megabatches
        return TrialHistory(
            epochs=tuple(
                EpochRecord(k, 0, k, {"train_loss": 1.0 / (k + 1), "lr": 0.1}) for k in range(done)
            ),
            megabatches=tuple(self._megabatch(k) for k in range(done)),
        )

    def _measured(self) -> dict[str, float]:
        made: dict[str, float] = {}
        if self.speedup is not None:
            names_of = metrics.speedup_names(1)
            made |= {
                names_of.latency: 4.0 / self.speedup,
                names_of.speedup: self.speedup,
                names_of.low: 0.9 * self.speedup,
                names_of.high: 1.1 * self.speedup,
            }
        if self.file_bytes is not None:
            made["file_bytes"] = self.file_bytes
        return made

    def _megabatch(self, k: int) -> MegabatchRecord:
        errors, density = self.errors[: k + 1], self.densities()[k]
        projected = metrics.projected_service_error(errors, num_megabatches=self.t, chance=CHANCE)
        last = k + 1 == self.t
        summary = {
            "service_error": metrics.service_error(errors, chance=CHANCE),
            "anytime_error": metrics.anytime_error(errors, chance=CHANCE),
            "final_error": errors[-1],
            "mean_error": metrics.mean_error(errors),
            "final_density": density,
            "test_service_error": metrics.service_error(errors, chance=CHANCE) + 0.01,
            "test_final_error": errors[-1] + 0.01,
        }
        return MegabatchRecord(
            megabatch_index=k,
            stream_fraction=(k + 1) / self.t,
            kept_epoch_index=0,
            metrics={
                "holdout_error_rate": errors[-1],
                "test_error_rate": errors[-1] + 0.01,
                "projected_service_error": projected,
                "density": density,
                "sparsity": 1 - density,
                "samples_seen": 10_000.0 * (k + 1) / self.t,
                "train_flops": self.flops * (k + 1) / self.t,
                "generalization_gap": 0.02 * k - 0.002 * k * k + 0.0001 * k * (self.seed - 1),
                "seconds": self.seconds,
                **(self._measured() if last else {}),
            },
            summary=summary if last else {},
            layers=tuple(
                LayerDensity(layer, 100, round(100 * density), density, density, 1.0)
                for layer in ("conv1.weight", "conv2.weight")
            ),
        )


def usual(lengths: Sequence[int] = (2, 4, 8)) -> list[FakeTrial]:
    """Dense and one-shot at each T, app at three sizes, and one stopped, one failed, one cut."""
    trials: list[FakeTrial] = []
    for t in lengths:
        trials += [
            FakeTrial(len(trials), "dense", t, 1.0),
            FakeTrial(len(trials) + 1, "one_shot", t, 0.1, harm=0.03),
            FakeTrial(len(trials) + 2, "app", t, 0.3),
            FakeTrial(len(trials) + 3, "app", t, 0.08),
            FakeTrial(len(trials) + 4, "app", t, 0.01),
        ]
    n = len(trials)
    return [
        *trials,
        FakeTrial(n, "cubic", 8, 0.02, outcome=Outcome.EARLY_STOPPED, megabatches=3),
        FakeTrial(
            n + 1, "linear", 4, 0.5, outcome=Outcome.ERROR, megabatches=0, reason="out of memory"
        ),
        FakeTrial(n + 2, "app", 8, 0.05, outcome=Outcome.INTERRUPTED, megabatches=5),
    ]


def study_info(name: str, objectives: tuple[str, ...]) -> StudyInfo:
    return StudyInfo(
        name=name,
        description="A study that nobody ran.",
        config_yaml=f"name: {name}\n",
        objectives=objectives,
        params={"objective.service_after": 1.0},
        fingerprint="f" * 16,
    )


SERVICE_AND_SIZE = ("service_error", "final_density")


def runs_of(
    trials: Sequence[FakeTrial],
    *,
    objectives: tuple[str, ...] = SERVICE_AND_SIZE,
    running: bool = False,
    notes: tuple[str, ...] = (),
) -> Runs:
    """The frames of ``trials``, made without MLflow."""
    parts = [_megabatch_rows(trial) for trial in trials]
    megabatches, _ = frames.megabatches_frame(parts)
    return Runs(
        study=StudyFacts(
            "fake",
            "A study that nobody ran.",
            objectives,
            names.OUTCOME_RUNNING if running else Outcome.COMPLETE,
        ),
        trials=frames.trials_frame([_record(trial) for trial in trials]),
        megabatches=megabatches,
        notes=notes,
        load_layers=lambda: _layer_rows(trials),
    )


def without_param(trials: Sequence[FakeTrial], name: str) -> Runs:
    """Their frames as if ``name`` had not been recorded."""
    runs = runs_of(trials)
    return replace(runs, trials=runs.trials.drop(columns=[name]))


def _record(trial: FakeTrial) -> StoredRun:
    info, history = trial.info(), trial.history()
    measured: dict[str, float] = {}
    for megabatch in history.megabatches:
        measured |= {**megabatch.metrics, **megabatch.summary}
    tags = {
        **info.tags,
        names.TAG_TRIAL_KEY: trial.key,
        names.TAG_TRIAL_NUMBER: str(trial.number),
        names.TAG_OUTCOME: trial.outcome or names.OUTCOME_RUNNING,
        names.TAG_REASON: trial.reason,
        "mlflow.runName": info.title,
    }
    return StoredRun(
        run_id=f"run{trial.number}",
        status="RUNNING" if trial.outcome is None else "FINISHED",
        start_time=trial.number,
        tags=tags,
        params={name: str(value) for name, value in info.params.items()},
        metrics=measured,
    )


def _megabatch_rows(trial: FakeTrial) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                frames.KEY: trial.key,
                frames.STEP: megabatch.megabatch_index,
                "stream_fraction": megabatch.stream_fraction,
                **megabatch.metrics,
            }
            for megabatch in trial.history().megabatches
        ]
    )


def _layer_rows(trials: Sequence[FakeTrial]) -> pd.DataFrame:
    columns = [field.name for field in fields(LayerDensity)]
    rows = [
        {
            frames.KEY: trial.key,
            frames.STEP: megabatch.megabatch_index,
            **{name: getattr(layer, name) for name in columns},
        }
        for trial in trials
        if trial.outcome is not None  # a running one has not left its ledger yet
        for megabatch in trial.history().megabatches
        for layer in megabatch.layers
    ]
    return pd.DataFrame(rows, columns=[frames.KEY, frames.STEP, *columns])
