"""Turns of the generalization gap along the stream, in sentences and as a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.comparison.methods import method_names
from analysis.presentation.report import Column, ReportTable, Value
from analysis.presentation.tables import cell, listed_by, span
from analysis.runs.frames import T
from analysis.statistics.turning import Turn
from analysis.wording import bounds, points, probability, size
from study.comparisons import SIGNIFICANCE
from study.text import count

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs


def turns_sentences(turned: "Sequence[tuple[pd.DataFrame, Turn, float]]") -> list[str]:
    """Which turns are real, the surest first."""
    if not turned:
        return [
            "Whether the generalization gap turns along the stream is not tested: that takes "
            "three seeds and three megabatches."
        ]
    real = [(group, turn, p) for group, turn, p in turned if p < SIGNIFICANCE]
    whole = count(len(turned), "configuration")
    if not real:
        return [
            f"No turn of the generalization gap along the stream is separable from chance in any "
            f"of {whole} with three seeds or more."
        ]
    sentences = [f"The generalization gap turns along the stream in {len(real)} of {whole}:"]
    for group, turn, p in sorted(real, key=lambda item: item[2])[:3]:
        first = group.iloc[0]
        ways = ("rises", "falls") if turn.is_peak else ("falls", "rises")
        sentences.append(
            f"{first['method']}, {size(first['density'])}, {first['architecture']}, "
            f"T = {int(first[T])}: it {ways[0]} by {points(turn.before)} "
            f"{bounds(turn.before_interval)} to about megabatch {turn.position:.1f} "
            f"[{turn.position_interval.low:.1f}, {turn.position_interval.high:.1f}] and then "
            f"{ways[1]} by {points(turn.after)} {bounds(turn.after_interval)}; "
            f"{probability(p)} by Holm over {whole}."
        )
    return sentences


def turns_table(runs: "Runs", turned: "Sequence[tuple[pd.DataFrame, Turn, float]]") -> ReportTable:
    """A row a configuration: its largest turn with both sides, and how often its curves turn."""
    columns = (
        *listed_by("arm", "architecture", T, "density", "seeds"),
        Column("kind", "turn"),
        Column("position", "at megabatch", "number"),
        Column("position_interval", "95 % interval", "range"),
        Column("before", "before (points)", "points"),
        Column("before_interval", "95 % interval", "interval"),
        Column("after", "after (points)", "points"),
        Column("after_interval", "95 % interval", "interval"),
        Column("p_holm", "Holm's p", "number"),
        Column("num_turns", "turning points", "number"),
        Column("num_turns_interval", "95 % interval", "range"),
        Column("by_chance", "of pure noise", "number"),
    )
    named = method_names(runs.complete)
    rows = []
    for group, turn, p in turned:
        first = group.iloc[0]
        row: list[Value] = [str(named[group.index[0]]), cell(first["architecture"])]
        row += [cell(first[T]), cell(first["density"]), len(group)]
        row += ["peak" if turn.is_peak else "dip", turn.position, span(turn.position_interval)]
        row += [turn.before, span(turn.before_interval), turn.after, span(turn.after_interval)]
        row += [p, turn.num_turns, span(turn.num_turns_interval), turn.by_chance]
        rows.append(tuple(row))
    return ReportTable("Turns of the generalization gap", columns, tuple(rows), folded=True)
