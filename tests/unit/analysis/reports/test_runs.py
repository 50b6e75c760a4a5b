"""Which columns the table of all trials has."""

import dataclasses

from analysis.presentation.render import render
from analysis.reports.runs import RunsReport
from analysis.wording import label, quantity
from study.metrics import LATENCIES
from tests.helpers.fake_study import runs_of, usual


def test_what_was_measured_has_columns_where_it_differs_between_trials() -> None:
    runs = runs_of(usual((4,)))
    (plain,) = RunsReport().build(runs).tables
    assert not {*LATENCIES, "file_bytes"} & {column.name for column in plain.columns}
    speedups = [1.0 + 0.125 * n for n in range(len(runs.trials))]
    trials = runs.trials.assign(
        speedup=speedups,
        speedup_low=[s - 0.1 for s in speedups],
        speedup_high=[s + 0.1 for s in speedups],
        file_bytes=1_183_685.0,
    )
    section = RunsReport().build(dataclasses.replace(runs, trials=trials))
    (table,) = section.tables
    names = [column.name for column in table.columns]
    assert names[-4:] == ["speedup", "speedup_low", "speedup_high", "outcome"]
    assert [row[names.index("speedup")] for row in table.rows] == speedups
    text = render(section, "md")
    assert "| speed-up | speed-up, low | speed-up, high |" in text
    assert "| 1.125 | 1.025 | 1.225 |" in text


def test_measured_values_are_said_with_their_unit() -> None:
    assert quantity(2.134, "speedup") == "2.13 times"
    assert quantity(0.8131, "latency_ms") == "0.813 ms"
    assert quantity(1_183_685, "file_bytes") == "1,184 kB"
    assert quantity(25_976, "file_bytes") == "26 kB"
    assert label("speedup_batch64") == "speed-up of 64"
