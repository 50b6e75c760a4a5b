"""Which trials may be compared as methods: at equal density, paired by seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.comparison.dense_baseline import DENSE, EQUAL_SAMPLES, Row, budgeted_examples
from analysis.runs.cache import cached
from analysis.statistics import summary
from analysis.statistics.paired import PairedDifference, paired_difference
from analysis.statistics.resampling import interquartile_mean
from analysis.wording import size
from study.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

# What belongs to the method; the rest is the setting that it is tried in.
_METHOD_SECTIONS = ("pruning.", "saliency.")
# How much is pruned is no part of the method: it is measured as density.
_HOW_MUCH = frozenset(
    {"pruning.final_density", "pruning.tau", "pruning.rate", "pruning.densities"}
)
_IN_THE_METHODS_NAME = frozenset({"pruning.schedule", "pruning.reference_compat"})
# Values that need no name in front of them.
_PLAIN = frozenset({"pruning.criterion", "pruning.allocation"})


def method_names(trials: "pd.DataFrame") -> "pd.Series":
    """Each trial's method in words: its schedule, and the pruning settings that the study varies.

    ``app``, or ``app, snip`` where criteria are compared too; dense is ``dense`` whatever the
    settings, which do nothing to it.
    """
    pruned = trials[trials["method"] != DENSE]
    named = [
        name
        for name in summary.params_of(trials)
        if name.startswith(_METHOD_SECTIONS)
        and name not in _HOW_MUCH | _IN_THE_METHODS_NAME
        and pruned[name].dropna().map(str).nunique() > 1
    ]
    made = trials["method"].map(str)
    for name in named:
        words = "" if name in _PLAIN else f"{name.partition('.')[2]} = "
        shown = (trials["method"] != DENSE) & trials[name].notna()
        made = made.where(~shown, made + f", {words}" + trials[name].map(str))
    return made


@dataclass(frozen=True)
class Comparison:
    """Method ``a`` against ``b`` in one or several settings.

    Attributes:
        a: The one in front of the minus.
        b: The other.
        density: In words, where it is the same in all: of ``a`` if ``b`` is dense.
        architecture: Where all pairs have the same, else empty.
        num_megabatches: T, where all pairs have the same, else None.
        result: What the differences a − b of a metric say.
    """

    a: str
    b: str
    density: str
    architecture: str
    num_megabatches: int | None
    result: PairedDifference

    @property
    def each(self) -> tuple[float, ...]:
        """Interquartile mean of the differences in each setting and density."""
        return tuple(interquartile_mean(stratum) for stratum in self.result.strata)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Every pair of trials that differ in the method alone.

    Attributes:
        frame: One row a pair: ``a``, ``b``, ``difference`` (a − b), ``setting``, ``density`` (in
            words), ``architecture``, ``num_megabatches``.
        num_alone: Finished pruned trials without a partner of another method at their density.
        num_unequal: Pairs left out as their trials saw different numbers of examples.
    """

    frame: "pd.DataFrame"
    num_alone: int
    num_unequal: int

    def pooled(self) -> list[Comparison]:
        """Each pair of methods over all settings; against dense at one density after another.

        One dense trial is compared at every density, so that pairs of several would not be
        independent; of two pruned methods every pair has trials of its own.
        """
        measure = self.frame.assign(
            level=self.frame["density"].where(self.frame["b"] == DENSE, "")
        )
        return _compared(measure, ["a", "b", "level"])

    def by_architecture(self) -> list[Comparison]:
        """As :meth:`pooled`, within each architecture."""
        measure = self.frame.assign(
            level=self.frame["density"].where(self.frame["b"] == DENSE, "")
        )
        return _compared(measure, ["a", "b", "level", "architecture"])

    def in_each_setting(self) -> list[Comparison]:
        """Each pair of methods in each setting and at each density."""
        return _compared(self.frame, ["a", "b", "setting", "kept"])


def _compared(frame: "pd.DataFrame", keys: list[str]) -> list[Comparison]:
    """Comparisons of at least two pairs: a single one says nothing of chance."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in frame.to_dict("records"):  # thousands of groups as frames would take long
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return [_comparison(group) for group in groups.values() if len(group) > 1]


def _comparison(group: Sequence[Row]) -> Comparison:
    first = group[0]

    def common(name: str) -> object:
        return first[name] if len({row[name] for row in group}) == 1 else None

    by_place: dict[tuple[int, float], list[float]] = {}
    for row in group:
        by_place.setdefault((row["setting"], row["kept"]), []).append(row["difference"])
    strata = [by_place[place] for place in sorted(by_place)]
    t = first["num_megabatches"]
    has_one_t = t == t and common("num_megabatches") is not None
    return Comparison(
        a=str(first["a"]),
        b=str(first["b"]),
        density=str(common("density") or ""),
        architecture=str(common("architecture") or ""),
        num_megabatches=int(t) if has_one_t else None,
        result=paired_difference(strata),
    )


@cached
def pairs(runs: "Runs", metric: str) -> Pairs:
    """The pairs of finished trials that have ``metric``.

    Two trials are a pair if all is equal but the method: data, model, stream, training, seeds,
    the examples trained on, and the weights kept, to the weight. Dense keeps all of them, and is
    compared with every density.
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
    apart = (both["samples_seen"] - both["samples_seen_b"]).abs()
    unequal = apart > EQUAL_SAMPLES * both["samples_seen"]
    kept = both[~unequal]
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
        }
    )
    return Pairs(_oriented(frame, metric), len(alone), int(unequal.sum()))


def _oriented(frame: "pd.DataFrame", metric: str) -> "pd.DataFrame":
    """Of two pruned methods, the one that is better on the whole stands in front."""
    totals = frame.groupby(["a", "b"])["difference"].transform("mean")
    turn = (totals.map(METRICS[metric].cost) > 0) & (frame["b"] != DENSE)
    turned = frame[turn].rename(columns={"a": "b", "b": "a"})
    turned = turned.assign(difference=-turned["difference"])
    made = frame.copy()
    made.loc[turn, ["a", "b", "difference"]] = turned[["a", "b", "difference"]]
    return made.sort_values(["a", "b", "setting", "kept"], kind="stable")


def _comparable_trials(runs: "Runs", metric: str) -> "pd.DataFrame":
    """One row a method, setting, density and seed; a trial run twice counts by its mean."""
    import pandas as pd

    from analysis.runs.frames import KEY, T

    complete = runs.complete
    trials = complete[complete[metric].notna() & complete["density"].notna()]
    return (
        pd.DataFrame(
            {
                "trial": trials[KEY],
                "arm": method_names(trials),
                "setting": summary.configurations(trials, excluding=("method", *_METHOD_SECTIONS)),
                "kept": weights_kept(trials),
                "pair": summary.seed_keys(trials),
                "value": trials[metric].astype(float),
                "samples_seen": budgeted_examples(trials),
                "density": trials["density"],
                "architecture": trials["architecture"],
                "num_megabatches": trials[T],
            }
        )
        .groupby(["arm", "setting", "kept", "pair"], as_index=False, sort=False)
        .agg({**dict.fromkeys(["value"], "mean"), **dict.fromkeys(_FIRST, "first")})
    )


def weights_kept(trials: "pd.DataFrame") -> "pd.Series":
    """How many weights each trial has left: what makes densities equal."""
    import pandas as pd

    weights = (
        pd.to_numeric(trials["model.num_prunable"], errors="coerce")
        if "model.num_prunable" in trials
        else pd.Series(float("nan"), index=trials.index)
    )
    # Where the number of weights is unknown, a millionth is near enough to one of them.
    return (trials["density"] * weights.fillna(1e6)).round()


_FIRST = ("trial", "samples_seen", "density", "architecture", "num_megabatches")


def with_holm(comparisons: list[Comparison]) -> Iterator[tuple[Comparison, float]]:
    """Each comparison with its p adjusted by Holm's method over all of them."""
    from analysis.statistics.paired import holm

    adjusted = holm([comparison.result.p for comparison in comparisons])
    return zip(comparisons, adjusted, strict=True)
