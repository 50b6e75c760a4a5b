"""Which trials may be compared as methods: at equal density and budget, paired by seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.comparison.by_example import ExampleValues, example_values
from analysis.comparison.comparisons import Comparison, compare
from analysis.comparison.dense_baseline import DENSE, Row, budgets
from analysis.runs.cache import cached
from analysis.statistics import summary
from analysis.wording import size
from study.comparisons import HOW_MUCH, METHOD_SECTIONS, NAMED, equal_in, weights_asked
from study.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

# Values that need no name in front of them.
_PLAIN = frozenset({"pruning.criterion", "pruning.allocation", "pruning.granularity"})
# What single weights have not, and log as "none".
_OF_CHANNELS = "pruning.group_score"


def method_names(trials: "pd.DataFrame") -> "pd.Series":
    """Each trial's method in words: its schedule, and the pruning settings that the study varies.

    ``app``, or ``app, snip`` where criteria are compared too; dense is ``dense`` whatever the
    settings, which do nothing to it.
    """
    if _OF_CHANNELS in trials:
        has_none = trials[_OF_CHANNELS].map(str) == "none"
        trials = trials.assign(**{_OF_CHANNELS: trials[_OF_CHANNELS].mask(has_none)})
    pruned = trials[trials["method"] != DENSE]
    named = [
        name
        for name in summary.params_of(trials)
        if name.startswith(METHOD_SECTIONS)
        and name not in HOW_MUCH | NAMED
        and pruned[name].dropna().map(str).nunique() > 1
    ]
    made = trials["method"].map(str)
    for name in named:
        words = "" if name in _PLAIN else f"{name.partition('.')[2]} = "
        shown = (trials["method"] != DENSE) & trials[name].notna()
        made = made.where(~shown, made + f", {words}" + trials[name].map(str))
    return made


@dataclass(frozen=True, eq=False)
class Pairs:
    """Every pair of trials that differ in the method alone.

    Attributes:
        frame: One row a pair, see :func:`analysis.comparison.comparisons.compare`.
        values: What each example adds to the metric.
        varied: Settings that the study varies apart from the method.
        num_alone: Finished pruned trials without a partner of another method at their density.
        num_unequal: Pairs left out as their trials had neither equal examples nor equal FLOPs.
    """

    frame: "pd.DataFrame"
    values: ExampleValues
    varied: tuple[str, ...]
    num_alone: int
    num_unequal: int

    def pooled(self) -> list[Comparison]:
        """Each pair of methods over all settings; against dense at one density after another.

        One dense trial is compared at every density, so that pairs of several would not be
        independent; of two pruned methods every pair has trials of its own.
        """
        return self._compared(self._with_level(), ["a", "b", "level"])

    def by_architecture(self) -> list[Comparison]:
        """As :meth:`pooled`, within each architecture."""
        return self._compared(self._with_level(), ["a", "b", "level", "architecture"])

    def in_each_setting(self) -> list[Comparison]:
        """Each pair of methods in each setting and at each density."""
        return self._compared(self.frame, ["a", "b", "setting", "kept"])

    def _with_level(self) -> "pd.DataFrame":
        return self.frame.assign(level=self.frame["density"].where(self.frame["b"] == DENSE, ""))

    def _compared(self, frame: "pd.DataFrame", keys: list[str]) -> list[Comparison]:
        """Comparisons of at least two pairs: a single one says nothing of chance."""
        groups: dict[tuple[object, ...], list[Row]] = {}
        for row in frame.to_dict("records"):  # thousands of groups as frames would take long
            groups.setdefault(tuple(row[key] for key in keys), []).append(row)
        return [
            compare(group, self.values, self.varied) for group in groups.values() if len(group) > 1
        ]


@cached
def pairs(runs: "Runs", metric: str) -> Pairs:
    """The pairs of finished trials that have ``metric``.

    Two trials are a pair if all is equal but the method: data, model, stream, training, seeds, the
    examples or the FLOPs of their training, and the weights that they were asked to keep. Dense
    keeps all of them, and is compared with every density.
    """
    import pandas as pd

    rows = _comparable_trials(runs, metric)
    place = ["setting", "pair"]
    pruned, dense = rows[rows["arm"] != DENSE], rows[rows["arm"] == DENSE]
    met = pruned.merge(pruned, on=[*place, "kept"], suffixes=("", "_b"))
    # Each couple of methods once.
    equal = met[met["arm"] < met["arm_b"]]
    with_dense = pruned.merge(dense.drop(columns="kept"), on=place, suffixes=("", "_b"))
    both = pd.concat([equal, with_dense], ignore_index=True)
    equal_budget = equal_in_pairs(both)
    kept = both[equal_budget.map(bool).astype(bool)]
    partners = equal[["trial", "trial_b"]].to_numpy().ravel()
    alone = pruned[~pruned["trial"].isin(partners)] if pruned["arm"].nunique() > 1 else pruned[:0]
    frame = pd.DataFrame(
        {
            "a": kept["arm"],
            "b": kept["arm_b"],
            "difference": kept["value"] - kept["value_b"],
            "setting": kept["setting"],
            "kept": kept["kept"],
            "density": kept["density"].map(size),
            "architecture": kept["architecture"],
            "num_megabatches": kept["num_megabatches"],
            "settings": kept["settings"],
            "run_a": kept["run"],
            "run_b": kept["run_b"],
            "data": kept["data"],
            "equal": equal_budget[kept.index],
        }
    )
    return Pairs(
        _oriented(frame, metric),
        example_values(runs, metric),
        tuple(settings_varied(runs.complete)),
        len(alone),
        len(both) - len(kept),
    )


def _oriented(frame: "pd.DataFrame", metric: str) -> "pd.DataFrame":
    """Of two pruned methods, the one that is better on the whole stands in front."""
    import pandas as pd

    by_place = frame.groupby(["a", "b", "setting", "kept"], as_index=False)["difference"].mean()
    totals = by_place.groupby(["a", "b"])["difference"].mean().to_dict()
    of_pair = pd.Series(
        [totals[pair] for pair in zip(frame["a"], frame["b"], strict=True)],
        index=frame.index,
        dtype=float,
    )
    turn = (of_pair.map(METRICS[metric].cost) > 0) & (frame["b"] != DENSE)
    sides = ["a", "b", "run_a", "run_b"]
    made = frame.copy()
    made.loc[turn, sides] = frame.loc[turn, ["b", "a", "run_b", "run_a"]].to_numpy()
    made.loc[turn, "difference"] = -frame.loc[turn, "difference"]
    return made.sort_values(["a", "b", "setting", "kept"], kind="stable")


def _comparable_trials(runs: "Runs", metric: str) -> "pd.DataFrame":
    """One row a method, setting, density and seed; a trial run twice counts by its mean."""
    import pandas as pd

    from analysis.runs.frames import KEY, T

    complete = runs.complete
    trials = complete[complete[metric].notna() & complete["density"].notna()]
    asked = asked_weights(trials)
    return (
        pd.DataFrame(
            {
                "trial": trials[KEY],
                "run": trials["run_id"].map(str),
                "arm": method_names(trials),
                "setting": summary.configurations(trials, excluding=("method", *METHOD_SECTIONS)),
                "kept": asked,
                "pair": summary.seed_keys(trials),
                "value": trials[metric].astype(float),
                "spent": budgets(trials),
                "density": asked / _num_weights(trials),
                "architecture": trials["architecture"],
                "num_megabatches": trials[T],
                "settings": _texts(trials, settings_varied(complete)),
                "data": data_keys(trials),
            }
        )
        .groupby(["arm", "setting", "kept", "pair"], as_index=False, sort=False)
        .agg({**dict.fromkeys(["value"], "mean"), **dict.fromkeys(_FIRST, "first")})
    )


def settings_varied(trials: "pd.DataFrame") -> list[str]:
    """What the study varies apart from the method and the seeds."""
    return [
        name
        for name in summary.varying(trials)
        if not name.startswith(METHOD_SECTIONS) and name not in summary.UNCOMPARED
    ]


def data_keys(trials: "pd.DataFrame") -> "pd.Series":
    """What decides on which examples a trial is judged, the seed of the splits included."""
    return _texts(
        trials,
        [
            name
            for name in summary.params_of(trials)
            if name.startswith("data.") and name not in summary.UNCOMPARED
        ],
    )


def _texts(trials: "pd.DataFrame", names: Sequence[str]) -> "pd.Series":
    """The values of some settings of each trial, as one tuple of texts."""
    import pandas as pd

    columns = [trials[name].map(str) for name in names]
    rows = zip(*columns, strict=True) if columns else [()] * len(trials)
    return pd.Series(list(rows), index=trials.index, dtype=object)


def equal_in_pairs(both: "pd.DataFrame") -> "pd.Series":
    """In what the trials of each pair had an equal budget, of ``spent`` and ``spent_b``."""
    import pandas as pd

    return pd.Series(
        [equal_in(a, b) for a, b in zip(both["spent"], both["spent_b"], strict=True)],
        index=both.index,
        dtype=object,
    )


def asked_weights(trials: "pd.DataFrame") -> "pd.Series":
    """How many weights each trial was asked to keep: what makes densities equal."""
    import pandas as pd

    none = pd.Series(float("nan"), index=trials.index)
    asked = trials.get("asked_density", none).astype(float)
    # It prunes to less than it is asked for.
    is_compat = trials.get("pruning.reference_compat", none).map(str) == "True"
    rows = zip(asked.mask(is_compat), trials["density"], _num_weights(trials), strict=True)
    return pd.Series([weights_asked(*row) for row in rows], index=trials.index, dtype=float)


def _num_weights(trials: "pd.DataFrame") -> "pd.Series":
    """N of each trial; a million where it is unknown, near enough to one weight."""
    import pandas as pd

    if "model.num_prunable" not in trials:
        return pd.Series(1e6, index=trials.index)
    return pd.to_numeric(trials["model.num_prunable"], errors="coerce").fillna(1e6)


_FIRST = (
    "trial", "run", "spent", "density", "architecture", "num_megabatches", "settings",
    "data",
)  # fmt: skip
