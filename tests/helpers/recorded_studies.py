"""Studies that were really run, as reports see them; what they hold is in tests/recorded.

To record one anew: ``python -c "from tests.helpers.recorded_studies import record;
record('cifar10-architectures', 'sqlite:///mlflow.db')"`` where its MLflow store lies.
"""

import dataclasses
import json
import math
from pathlib import Path

import pandas as pd

from analysis.exports.frames import write_frames
from analysis.runs.frames import FACTS, MEGABATCH_METRICS, TRIAL_METRICS
from analysis.runs.load import load
from analysis.runs.study_runs import Runs, StudyFacts

FOLDER = Path(__file__).parents[1] / "recorded"
NAMES = ("cifar10-architectures", "digits-search")


def record(name: str, tracking_uri: str) -> None:
    """Keep a study of an MLflow store."""
    runs = load(name, tracking_uri=tracking_uri)
    folder = FOLDER / name
    for path in write_frames(runs, folder).files:
        if path.suffix == ".csv":
            path.unlink()
    text = json.dumps(dataclasses.asdict(runs.study), indent=1)
    (folder / "study.json").write_text(text + "\n", encoding="utf-8")


def recorded(name: str) -> Runs:
    """A study that was kept."""
    folder = FOLDER / name
    facts = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    trials = pd.read_parquet(folder / "trials.parquet")
    megabatches = pd.read_parquet(folder / "megabatches.parquet")
    # As of runs that were logged before there were such tags and metrics.
    since = {"started_at": trials["number"].astype(float)}
    since |= {fact: "" for fact in FACTS if fact not in since}
    since |= {name: math.nan for name in TRIAL_METRICS}
    unmeasured = {name: math.nan for name in MEGABATCH_METRICS if name not in megabatches}
    return Runs(
        study=StudyFacts(**{**facts, "objectives": tuple(facts["objectives"])}),
        trials=trials.assign(**{k: v for k, v in since.items() if k not in trials}),
        megabatches=megabatches.assign(**unmeasured),
        load_layers=lambda: pd.read_parquet(folder / "layers.parquet"),
    )
