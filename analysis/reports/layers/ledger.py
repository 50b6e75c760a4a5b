"""The sparsity ledger: layers by their place in the network, and those nothing gets through."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.comparison.dense_baseline import DENSE
from analysis.comparison.methods import method_names
from analysis.runs.frames import KEY, STEP, T
from analysis.statistics import summary
from study.results import Outcome

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

_COUNTS = ("num_weights", "num_kept")
DENSITIES = ("intended_density", "density", "effective_density", "mask_overlap")
NEEDED = (KEY, STEP, "layer", *_COUNTS, *DENSITIES)


def ledger(runs: "Runs") -> "pd.DataFrame":
    """The ledger of the study's trials, in order of trial, megabatch and layer.

    Adds to the columns of ``runs.layers``: ``place`` (0-based, from the images), ``depth`` (the
    place over that of the last layer, so that 0 is the first and 1 the last layer of any
    network), ``stream_fraction`` in (0, 1], ``collapsed`` (no weight is left, or none on a path
    from input to output) and, of its trial, ``number``, ``arm``, ``architecture`` and T. Empty
    where no ledger was recorded.
    """
    layers = runs.layers
    if layers.empty or not set(NEEDED) <= set(layers.columns):
        return layers.head(0).reindex(columns=[*NEEDED, *_ADDED])
    facts = runs.trials[[KEY, "number", "architecture", T]].assign(arm=method_names(runs.trials))
    made = layers.merge(facts, on=KEY).astype({"effective_density": "float64"})
    event = made.groupby([KEY, STEP], sort=False)
    made["place"] = event.cumcount()
    made["depth"] = made["place"] / (event["layer"].transform("size") - 1).clip(lower=1)
    made["stream_fraction"] = (made[STEP] + 1) / made[T].astype(float)
    made["collapsed"] = (made["num_kept"] == 0) | (made["effective_density"] == 0)
    return made.sort_values(["number", STEP, "place"], kind="stable").reset_index(drop=True)


_ADDED = ("place", "depth", "stream_fraction", "collapsed", "number", "arm", "architecture")


def last(rows: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of each trial's last recorded megabatch."""
    return rows[rows[STEP] == rows.groupby(KEY)[STEP].transform("max")]


def comparable(runs: "Runs", rows: "pd.DataFrame", limit: int) -> "list[pd.DataFrame]":
    """The finished trials to set side by side: of each method and architecture, one configuration.

    It is the one whose density is nearest to the middle of all pruned ones, since layers can only
    be compared at like density; replicates of it come along.

    Returns:
        A frame of trials for each, at most ``limit``, in order of their first trial.
    """
    import numpy as np

    kept = runs.complete[runs.complete[KEY].isin(list(rows[KEY].unique()))]
    pruned = kept[(kept["method"] != DENSE) & (kept["density"] > 0)]
    if pruned.empty:
        return []
    size = np.log(pruned["density"])
    away = (size - size.median()).abs()
    ranked = pruned.assign(
        _arm=method_names(runs.trials)[pruned.index],
        _configuration=summary.configurations(pruned),
        _away=away.groupby(summary.configurations(pruned)).transform("min"),
    )
    chosen = []
    for _, group in ranked.groupby(["architecture", "_arm"], sort=False):
        nearest = group.sort_values(["_away", "number"], kind="stable")["_configuration"].iloc[0]
        chosen.append(group[group["_configuration"] == nearest])
    return sorted(chosen, key=lambda group: int(group["number"].min()))[:limit]


def over_seeds(rows: "pd.DataFrame", keys: Sequence[str]) -> "pd.DataFrame":
    """One row a layer: means over the trials ``keys``, and whether it collapsed in any."""
    mine = rows[rows[KEY].isin(list(keys))]
    grouped = mine.groupby("layer", sort=False)
    made = grouped[["depth", *_COUNTS, *DENSITIES]].mean()
    made["collapsed"] = grouped["collapsed"].any()
    return made.reset_index()


def without_ledger(runs: "Runs", rows: "pd.DataFrame") -> "pd.DataFrame":
    """The trials that trained but have no ledger."""
    trained = runs.trials["samples_seen"].notna() | (runs.trials["outcome"] == Outcome.COMPLETE)
    return runs.trials[trained & ~runs.trials[KEY].isin(list(rows[KEY].unique()))]
