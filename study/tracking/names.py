"""Every name under which a study is found in MLflow: tags, artifact paths, metric prefixes.

``analysis`` reads what ``tracking`` wrote through this file and
:mod:`study.tracking.artifacts.runs_table`.
"""

from pathlib import Path
from typing import Final

SCHEMA_VERSION: Final = "1"

# Tags, on the parent run and on its children.
TAG_KIND: Final = "app.kind"  # KIND_STUDY or KIND_TRIAL
TAG_STUDY: Final = "study"
TAG_STUDY_ID: Final = "study_id"  # by which two studies of one name are told apart
TAG_SCHEMA: Final = "schema_version"
TAG_FINGERPRINT: Final = "fingerprint"
TAG_VERSION: Final = "app.version"
TAG_COMMIT: Final = "git_commit"  # of the code; "-dirty" where it was changed
KIND_STUDY: Final = "study"
KIND_TRIAL: Final = "trial"

# Tags of a trial's run.
TAG_TRIAL_KEY: Final = "trial_key"
TAG_TRIAL_NUMBER: Final = "trial_number"
TAG_METHOD: Final = "method"
TAG_REFERENCE_COMPAT: Final = "reference_compat"  # "true": prunes as the reference does
COMPAT_SUFFIX: Final = "+reference_compat"  # of such a trial's method
TAG_ARCHITECTURE: Final = "architecture"
TAG_DATASET: Final = "dataset"
TAG_OUTCOME: Final = "outcome"  # a study.results.Outcome, or OUTCOME_RUNNING
TAG_REASON: Final = "reason"  # why it failed
TAG_CONFIRMED_TRIAL: Final = "confirmed_trial"  # number of the one it runs again, in TAG_CONFIRMS
TAG_BASELINE_OF: Final = "baseline_of"  # comma-separated numbers of trials there
TAG_SETTINGS_OF: Final = "settings_of"  # number of the trial there whose settings a baseline has
TAG_ARM: Final = "arm"  # name of the one that it is of; missing where it is of none
TAG_NOTICES: Final = "notices"  # what it ran into and got over, a line each
TAG_PROPOSED_BY: Final = "proposed_by"  # PROPOSED_POINT, …_RANDOM, or the sampler
TAG_UPDATED_FROM: Final = "updated_from"  # key of the trial that it is an update of
TAG_KERNELS: Final = "kernels"  # by which its convolutions ran in training
TAG_MEASURED_WITH: Final = "measured_with"  # runtime, threads and processor of its latency
OUTCOME_RUNNING: Final = "running"
PROPOSED_POINT: Final = "point"  # values of TAG_PROPOSED_BY, beside the samplers' names
PROPOSED_RANDOM: Final = "random"
PROPOSED_EARLIER: Final = "earlier_study"  # a place that was good in another study

# Tags of a model, beside those of its trial.
TAG_MEGABATCH: Final = "megabatch_index"
TAG_MODEL: Final = "app.model"  # MODEL_IN_SERVICE or MODEL_EXPORTED
MODEL_IN_SERVICE: Final = "in service"
MODEL_EXPORTED: Final = "exported"

# Tags of a registered version, by which the next one is compared with it.
TAG_HOLDOUT: Final = "app.holdout"  # which images its error rate was measured on
TAG_HOLDOUT_ERROR: Final = "holdout_error_rate"

# Tags of the parent run.
TAG_DESCRIPTION: Final = "description"  # the user's own words; MLflow's shows how it stands
TAG_OBJECTIVES: Final = "objectives"  # comma-separated metric names
TAG_CONFIRMS: Final = "confirms"  # the study whose best trials it runs again; else missing

# Params of the parent run.
PARAM_SAMPLER: Final = "search.sampler"
PARAM_STOPPING: Final = "search.stopping"
PARAM_FIRST_RUNG: Final = "search.stopping.first_rung"  # a fraction of the stream
PARAM_REDUCTION: Final = "search.stopping.reduction"
PARAM_NUM_POINTS: Final = "search.num_points"  # trials that were named, before any proposal
PARAM_ARMS: Final = "search.arms"  # names of the arms, comma-separated
NOT_APPLICABLE: Final = "none"  # the value of a param that a method has not
PARAM_SPACE: Final = "search.space."  # + PATH: its domain, as JSON in the form of a study file
PARAM_CONSTRAINTS: Final = "objective.constraints"  # comma-separated
PARAM_MARGIN: Final = "objective.margin"  # of verdicts, a fraction of examples
PARAM_SERVICE_AFTER: Final = "objective.service_after"
PARAM_CONFIRM: Final = "confirm."  # + a setting: how its best are run again once it has ended
PARAM_LOOKS: Final = "confirms.looks"  # comma-separated numbers of seeds; else missing
PARAM_CONFIRMED_METRIC: Final = "confirms.metric"
PARAM_SOUGHT: Final = "confirms.sought"  # metric by which its candidates are put in order
PARAM_TUNED: Final = "confirms.tuned"  # comma-separated paths that the search tuned
PARAM_SEARCHED: Final = "confirms.searched."  # + NUMBER.METRIC: what the search had found

# Metrics. Per-megabatch metrics keep their name, step = megabatch_index.
EPOCH_PREFIX: Final = "epoch/"  # step = epoch of the trial
SAMPLES_PREFIX: Final = "by_samples/"  # some of them again, step = samples_seen
HYPERPARAMETER_PREFIX: Final = "hp/"  # numeric hyper-parameters, step 0

# Artifacts.
CONFIG_ARTIFACT: Final = "config.yaml"
MEGABATCHES_ARTIFACT: Final = "history/megabatches.parquet"
EPOCHS_ARTIFACT: Final = "history/epochs.parquet"
LAYERS_ARTIFACT: Final = "history/layers.parquet"
EXAMPLES_ARTIFACT: Final = "history/examples.parquet"  # a trial's: outcomes by example
RUNS_ARTIFACT: Final = "history/runs.parquet"  # the parent's: its children's runs
MEGABATCHES_TABLE: Final = "tables/megabatches.json"
LAYERS_TABLE: Final = "tables/layers.json"
TRIALS_TABLE: Final = "tables/trials.json"  # the parent's
ANYTIME_FIGURE: Final = "figures/anytime.svg"
LAYERS_FIGURE: Final = "figures/layers.svg"
# The parent's histories are the children's, one below the other, with a column KEY_COLUMN.
KEY_COLUMN: Final = "trial_key"


def creation_lock(database: Path) -> Path:
    """The file that is locked while a SQLite database is checked and created."""
    return database.with_name(f".{database.name}.lock")
