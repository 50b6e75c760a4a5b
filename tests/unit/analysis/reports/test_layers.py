"""The sparsity ledger as a report reads it."""

import dataclasses

import pandas as pd
import pytest

from analysis.errors import ReportError
from analysis.presentation.render import records
from analysis.presentation.report import REPORTS
from analysis.reports.discovery import load_reports
from analysis.reports.layers import ledger
from analysis.runs.study_runs import Runs
from tests.helpers.fake_study import FakeTrial, runs_of, usual

load_reports()


def _runs(layers: list[dict[str, object]], trials: list[FakeTrial]) -> Runs:
    frame = pd.DataFrame(layers)
    return dataclasses.replace(runs_of(trials), load_layers=lambda: frame)


def _layer(trial: int, step: int, layer: str, kept: int, **other: object) -> dict[str, object]:
    density = kept / 100
    return {
        "trial_key": f"key{trial:03d}",
        "megabatch_index": step,
        "layer": layer,
        "num_weights": 100,
        "num_kept": kept,
        "intended_density": density,
        "density": density,
        "mask_overlap": 1.0,
        "effective_density": density,
        **other,
    }


def _two_networks() -> Runs:
    """One network of three layers, one of five; the last layer of the second loses its paths."""
    layers = [_layer(0, k, name, 90 - 40 * k) for k in range(2) for name in "abc"]
    layers += [_layer(1, k, name, 80 - 40 * k) for k in range(2) for name in "pqrst"]
    layers[-1]["effective_density"] = 0.0
    trials = [
        FakeTrial(0, "app", 2, 0.5, architecture="small"),
        FakeTrial(1, "app", 2, 0.4, architecture="large"),
    ]
    return _runs(layers, trials)


def test_layers_of_networks_of_any_length_lie_between_the_first_and_the_last() -> None:
    rows = ledger.last(ledger.ledger(_two_networks()))
    depths = rows.groupby("architecture")["depth"].apply(list)
    assert depths["small"] == [0.0, 0.5, 1.0]
    assert depths["large"] == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_a_layer_without_weights_or_without_paths_has_collapsed_and_is_listed_once() -> None:
    runs = _two_networks()
    runs.layers.loc[runs.layers["layer"] == "a", "num_kept"] = 0
    section = REPORTS.get("layers")().build(runs)
    (table,) = [t for t in section.tables if t.title == "Layers that have collapsed"]
    assert [(r["number"], r["layer"], r["megabatch"]) for r in records(table)] == [
        (0, "a", 1),
        (1, "t", 2),
    ]
    assert section.sentences[0].startswith("A layer collapsed in 2 of 2 trials")


def test_where_effective_density_is_unknown_nothing_is_called_collapsed_by_it() -> None:
    layers = [_layer(0, 0, name, 50, effective_density=None) for name in "ab"]
    section = REPORTS.get("layers")().build(_runs(layers, [FakeTrial(0, "app", 1, 0.5)]))
    text = " ".join(section.sentences)
    assert "No layer collapsed" in text
    assert "Effective density is unknown for small_conv" in text
    assert len(section.figures[0].panels) == 1


def test_the_section_says_that_effective_density_is_an_upper_bound() -> None:
    layers = [_layer(0, 0, name, 50) for name in "ab"]
    section = REPORTS.get("layers")().build(_runs(layers, [FakeTrial(0, "app", 1, 0.5)]))
    assert "an upper bound" in " ".join(section.sentences)


def test_a_mask_that_brings_weights_back_and_a_missed_target_are_reported() -> None:
    layers = [
        _layer(0, 0, "a", 50, mask_overlap=0.75),
        _layer(0, 0, "b", 50, intended_density=0.3),
    ]
    text = " ".join(
        REPORTS.get("layers")().build(_runs(layers, [FakeTrial(0, "app", 1, 0.5)])).sentences
    )
    assert "1 trial revived pruned weights" in text
    assert "75.0 % (a of trial 0)" in text
    assert "differ most in b of trial 0: 50.0 % for 30.0 %" in text


def test_of_each_method_the_configuration_nearest_to_the_middle_density_is_compared() -> None:
    runs = runs_of(usual())
    rows = ledger.ledger(runs)
    chosen = ledger.comparable(runs, rows, limit=8)
    assert [(g["method"].iloc[0], g["density"].iloc[0]) for g in chosen] == [
        ("one_shot", 0.1),
        ("app", 0.08),
    ]
    assert len(ledger.comparable(runs, rows, limit=1)) == 1


def test_the_whole_ledger_of_a_trial_is_to_be_had_by_its_number() -> None:
    report = REPORTS.get("layers")(trial=("3",))  # type: ignore[call-arg]  # its own option
    table = report.build(runs_of(usual())).tables[-1]
    assert table.title == "Ledger of trial 3"
    assert len(table.rows) == 2 * 2
    with pytest.raises(ReportError, match="--trial 99: no trial"):
        REPORTS.get("layers")(trial=("99",)).build(runs_of(usual()))  # type: ignore[call-arg]  # its own option


def test_trials_without_a_ledger_are_named() -> None:
    trials = [*usual((4,)), FakeTrial(50, outcome=None, megabatches=2)]
    sentences = REPORTS.get("layers")().build(runs_of(trials, running=True)).sentences
    assert any("has no ledger" in said and "50" in said for said in sentences)


def test_a_record_without_the_columns_of_a_ledger_is_no_ledger() -> None:
    frame = pd.DataFrame({"trial_key": ["key000"], "megabatch_index": [0], "layer": ["a"]})
    runs = dataclasses.replace(runs_of([FakeTrial(0)]), load_layers=lambda: frame)
    assert "No trial has a sparsity ledger" in REPORTS.get("layers")().build(runs).sentences[0]
