"""The sparsity ledger: what pruning leaves in each layer."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from analysis.comparison.dense_baseline import DENSE
from analysis.errors import ReportError
from analysis.presentation.report import REPORTS, Report, ReportSection, ReportTable
from analysis.presentation.tables import column, table
from analysis.reports.layers.figures import MAX_STREAMS, ledger_figures
from analysis.reports.layers.ledger import (
    DENSITIES,
    comparable,
    last,
    ledger,
    over_seeds,
    without_ledger,
)
from analysis.runs import trial_filter
from analysis.runs.frames import KEY, STEP
from analysis.wording import listing, percent, points, size
from study.text import count

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

TITLE = "What is left in each layer?"
_MAX_ROWS = 16


@REPORTS.register("layers")
@dataclass(frozen=True)
class LayersReport(Report):
    """Intended, realised and effective density of each layer; layers that have collapsed."""

    position: ClassVar[int] = 70

    where: tuple[str, ...] = field(
        default=(), metadata={"help": 'Only trials with e.g. "pruning.schedule=app".'}
    )
    trial: tuple[str, ...] = field(
        default=(), metadata={"help": "Number of a trial whose whole ledger is to be listed."}
    )
    limit: int = field(default=8, metadata={"help": "How many methods to draw at most."})

    def build(self, runs: "Runs") -> ReportSection:
        """Figures over depth and along the stream, the layers drawn, and the collapsed ones."""
        chosen = replace(runs, trials=trial_filter.where(runs.trials, self.where))
        rows = ledger(replace(chosen, load_layers=lambda: runs.layers))
        missing = _missing(chosen, rows)
        if rows.empty:
            sentence = "No trial has a sparsity ledger yet: it is written when a trial ends."
            return ReportSection(TITLE, (sentence, *missing))
        ends = last(rows)
        groups = comparable(chosen, rows, self.limit)
        means = [(_name(group, ends), over_seeds(ends, list(group[KEY]))) for group in groups]
        tables = [_collapsed(rows)]
        if means:
            tables.append(_drawn(means))
        tables += [_whole(rows, number) for number in self.trial]
        return ReportSection(
            TITLE,
            (
                *_collapse_sentences(rows),
                _exactness_sentence(ends),
                *_effective_sentences(ends),
                _nesting_sentence(rows),
                *(_uneven_sentence(name, layers) for name, layers in means[:MAX_STREAMS]),
                *missing,
            ),
            figures=ledger_figures(rows, groups, means),
            tables=tuple(t for t in tables if t.rows),
        )


def _missing(runs: "Runs", rows: "pd.DataFrame") -> list[str]:
    without = without_ledger(runs, rows)
    if without.empty:
        return []
    numbers = [str(number) for number in without["number"].head(6)]
    more = len(without) - len(numbers)
    listed = listing(numbers) if not more else f"{', '.join(numbers)} and {more} more"
    return [
        f"{count(len(without), 'trial')} that trained {'has' if len(without) == 1 else 'have'} no "
        f"ledger (running or interrupted): {listed}."
    ]


def _name(group: "pd.DataFrame", ends: "pd.DataFrame") -> str:
    first = group.iloc[0]
    arm = ends.loc[ends[KEY] == first[KEY], "arm"].iloc[0]
    return f"{arm}, {first['architecture']}: {size(float(group['density'].mean()))}"


def _collapse_sentences(rows: "pd.DataFrame") -> list[str]:
    dead = rows[rows["collapsed"]]
    whole = count(rows[KEY].nunique(), "trial")
    if dead.empty:
        return [f"No layer collapsed in any of {whole} with a ledger."]
    often = dead.groupby("layer", sort=False)[KEY].nunique().sort_values(ascending=False)
    return [
        f"A layer collapsed in {dead[KEY].nunique()} of {whole} with a ledger: it has no weight "
        f"left, or none on a path from input to output. Most "
        f"often it was {often.index[0]} ({count(int(often.iloc[0]), 'trial')})."
    ]


def _exactness_sentence(ends: "pd.DataFrame") -> str:
    off = (ends["num_kept"] - ends["intended_density"] * ends["num_weights"]).abs()
    if float(off.max()) <= 0.5 + 1e-6:
        return "Every layer keeps the share that its allocation intended, to the weight."
    worst = ends.iloc[int(off.argmax())]
    return (
        f"Realised and intended density differ most in {worst['layer']} of trial "
        f"{worst['number']}: {percent(worst['density'])} for {percent(worst['intended_density'])}."
    )


_BOUND = (
    " (an upper bound: positions within a kernel are not told apart, which on images of 8×8 "
    "pixels counts about twice too many)."
)


def _effective_sentences(ends: "pd.DataFrame") -> list[str]:
    known = ends[ends["effective_density"].notna()]
    blind = sorted(set(ends["architecture"]) - set(known["architecture"]))
    sentences = []
    if not known.empty:
        loss = known["density"] - known["effective_density"]
        worst = known.iloc[int(loss.argmax())]
        sentences.append(
            f"The most weights without effect are in {worst['layer']} of trial {worst['number']} "
            f"({worst['arm']}, {worst['architecture']}): {percent(worst['density'])} are kept, "
            f"{percent(worst['effective_density'])} lie on a path from input to output{_BOUND}"
            if float(loss.max()) > 0
            else f"Every kept weight lies on a path from input to output{_BOUND}"
        )
    if blind:
        sentences.append(f"Effective density is unknown for {listing(blind)}.")
    return sentences


def _nesting_sentence(rows: "pd.DataFrame") -> str:
    revived = rows[rows["mask_overlap"] < 1]
    if revived.empty:
        return "Every mask is nested in the one before it."
    worst = revived.iloc[int(revived["mask_overlap"].argmin())]
    return (
        f"{count(revived[KEY].nunique(), 'trial')} revived pruned weights: the smallest "
        f"overlap of a layer's mask with the one before is {percent(worst['mask_overlap'])} "
        f"({worst['layer']} of trial {worst['number']})."
    )


def _uneven_sentence(name: str, layers: "pd.DataFrame") -> str:
    most = layers.iloc[int(layers["density"].argmax())]
    least = layers.iloc[int(layers["density"].argmin())]
    apart = float(most["density"] - least["density"])
    if apart < 0.02:
        return f"{name} of the weights, within {points(apart)} in every layer."
    return (
        f"{name} of the weights: from {size(float(least['density']))} in {least['layer']} to "
        f"{size(float(most['density']))} in {most['layer']}."
    )


def _collapsed(rows: "pd.DataFrame") -> ReportTable:
    """Each layer that collapsed, with the megabatch at which it was first seen so."""
    dead = rows[rows["collapsed"] & (rows["arm"] != DENSE)]
    first = dead.drop_duplicates([KEY, "layer"]).assign(megabatch=lambda d: d[STEP] + 1)
    names = ["number", "arm", "architecture", "layer", "depth", "megabatch", "num_weights"]
    title = "Layers that have collapsed"
    made = _titled(title, first, [*names, "num_kept", "density", "effective_density"])
    return replace(made, folded=len(made.rows) > _MAX_ROWS)


def _drawn(means: "list[tuple[str, pd.DataFrame]]") -> ReportTable:
    import pandas as pd

    frame = pd.concat([layers.assign(method=name) for name, layers in means], ignore_index=True)
    names = ["method", "layer", "depth", "num_weights", *DENSITIES, "collapsed"]
    made = _titled("Layers at the end of the stream", frame, names)
    return replace(made, folded=len(made.rows) > _MAX_ROWS)


def _whole(rows: "pd.DataFrame", number: str) -> ReportTable:
    mine = rows[rows["number"].map(str) == number].assign(megabatch=lambda d: d[STEP] + 1)
    if mine.empty:
        raise ReportError(
            f"--trial {number}: no trial of this number has a ledger; app-report runs lists them"
        )
    names = ["megabatch", "layer", "depth", "num_weights", "num_kept", *DENSITIES, "collapsed"]
    return _titled(f"Ledger of trial {number}", mine, names)


_TITLES = {
    "number": "trial",
    "arm": "method",
    "method": "method",
    "num_weights": "weights",
    "num_kept": "weights left",
    "intended_density": "intended",
    "density": "kept",
    "effective_density": "on a path",
    "mask_overlap": "mask overlap",
}


def _titled(title: str, frame: "pd.DataFrame", names: list[str]) -> ReportTable:
    """A table of the ledger; densities in percent, under short headings."""
    made = table(title, frame, names)
    columns = tuple(
        replace(
            column(name, frame),
            title=_TITLES.get(name, name),
            format="percent" if name in DENSITIES else column(name, frame).format,
        )
        for name in names
    )
    return replace(made, columns=columns)
